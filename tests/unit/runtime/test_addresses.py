"""The one rule for addresses that people hand in: where each leads, in every spelling."""

import pytest

from services.runtime.addresses import Reach, parsed, reach, reach_of_host


@pytest.mark.parametrize("text", ["93.184.216.34", "2606:4700::1111", "::ffff:93.184.216.34", "64:ff9b::5db8:d822"])
def test_public_addresses(text: str) -> None:
    assert reach(parsed(text)) is Reach.PUBLIC


@pytest.mark.parametrize("text", ["127.0.0.1", "127.8.9.10", "::1", "::ffff:127.0.0.1"])
def test_this_machine(text: str) -> None:
    assert reach(parsed(text)) is Reach.SELF


@pytest.mark.parametrize(
    "text", ["10.0.0.8", "172.31.0.1", "192.168.1.1", "100.64.0.1", "198.18.0.1", "fd00:20::7", "::ffff:10.0.0.1"]
)
def test_inside_a_network(text: str) -> None:
    assert reach(parsed(text)) is Reach.INSIDE


@pytest.mark.parametrize(
    "text",
    [
        "0.0.0.0", "0.1.2.3", "169.254.169.254", "100.100.100.200", "168.63.129.16", "192.0.0.192", "192.0.2.1",
        "192.88.99.1", "198.51.100.1", "203.0.113.9", "224.0.0.1", "240.0.0.1", "255.255.255.255",
        "::", "::7f00:1", "::2", "::ffff:0:127.0.0.1", "::ffff:169.254.169.254", "64:ff9b::7f00:1", "64:ff9b::a00:1",
        "64:ff9b::a9fe:a9fe", "64:ff9b:1::5db8:d822", "100::1", "2001::1", "2001:0:5db8:d822::1", "2001:db8::1",
        "2002:7f00:1::", "2002:5db8:d822::", "2606:4700::5efe:7f00:1", "2606:4700::200:5efe:5db8:d822", "3fff::1",
        "4000::1", "5f00::1", "fd00:ec2::254", "fe80::1", "fe80::1%eth0", "2606:4700::1111%1", "fec0::1", "ff02::1",
        "ff0e::1",
    ],
)  # fmt: skip
def test_nowhere(text: str) -> None:
    assert reach(parsed(text)) is Reach.NOWHERE


@pytest.mark.parametrize(
    ("host", "leads"),
    [
        ("localhost", Reach.SELF), ("LOCALHOST.", Reach.SELF), ("a.localhost", Reach.SELF), ("127.0.0.1", Reach.SELF),
        ("[::1]", Reach.SELF), ("[::7f00:1]", Reach.NOWHERE), ("[fd00:20::7]", Reach.INSIDE),
        ("93.184.216.34", Reach.PUBLIC), ("hooks.firenet-demo.cn", None), ("localhost.cn", None), ("centre", None),
    ],
)  # fmt: skip
def test_hosts_of_urls(host: str, leads: Reach | None) -> None:
    assert reach_of_host(host) is leads

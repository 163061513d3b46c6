"""The door in front of a secured broker sees ingest there, and hands encryption through untouched."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.stack.door import Way
from deploy.stack.door_part import Door
from deploy.stack.ports import HOST, free_ports
from tests.integration.access.client import Client
from tests.integration.access.conftest import Site
from tests.integration.stack.waiting import soon


@pytest.fixture
def door(tmp_path: Path, site: Site) -> Iterator[Door]:
    passwords, certificates = free_ports(2)
    one = Door(
        tmp_path,
        ways=[
            Way(HOST, passwords, site.ports["passwords"]),
            Way(HOST, certificates, site.ports["certificates"]),
        ],
        broker_port=site.ports["services"],
        tls_ca=site.ca,
        account=("ingest", site.folder / "password-ingest"),
    )
    one.start()
    soon(lambda: one.is_open, "ingest is seen at the broker, and gateways are let in")
    yield one
    one.stop()


def test_gateways_come_in_by_password_and_by_certificate_and_nobody_else(site: Site, door: Door) -> None:
    by_password, by_certificate = (way.port for way in door.ways)
    number = site.take()
    name = site.gateway(number)
    certificate = site.access / f"{name}.crt"
    site.registry("credentials", "certificate", "--gateway", name, "--out", str(site.access))
    keys = (certificate, certificate.with_suffix(".key"))
    ways = [(by_password, (name, site.passwords[name]), None), (by_certificate, None, keys)]
    for port, password, pair in ways:  # one after the other: they have the same session
        client = Client(port, site.ca, password=password, certificate=pair)
        assert client.connected
        stored = site.ingest.metric("stored_total")
        client.publish(f"firenet/v1/{name}/up/json", '{"v":1,"kind":"heartbeat"}')
        soon(lambda: site.ingest.metric("stored_total") > stored, "it is stored")  # noqa: B023 - at once
        client.close()
    assert not Client(by_password, site.ca, password=(name, "wrong")).connected
    assert door.is_open

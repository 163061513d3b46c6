"""What an operator may set, and the sentence that a wrong value gets."""

from ipaddress import ip_network
from pathlib import Path

import certifi
import pytest

from services.alerts.settings import AlertsSettings
from services.runtime.settings import load


@pytest.fixture(autouse=True)
def token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALERTS_API_TOKEN", "0123456789")


def test_networks_of_webhooks_are_a_list_with_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load(AlertsSettings).webhook_networks == ()
    monkeypatch.setenv("ALERTS_WEBHOOK_NETWORKS", "10.20.0.0/16, fd00:20::/32")
    assert load(AlertsSettings).webhook_networks == (ip_network("10.20.0.0/16"), ip_network("fd00:20::/32"))


def test_ca_of_webhooks_is_a_file_or_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALERTS_WEBHOOK_CA", "")
    assert load(AlertsSettings).webhook_ca is None
    monkeypatch.setenv("ALERTS_WEBHOOK_CA", certifi.where())
    assert load(AlertsSettings).webhook_ca == Path(certifi.where())


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("ALERTS_WEBHOOK_NETWORKS", "10.20.0.1/16", "has host bits set"),
        ("ALERTS_WEBHOOK_NETWORKS", "centre", "does not appear to be an IPv4 or IPv6 network"),
    ],
)
def test_wrong_values_get_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, value: str, sentence: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit):
        load(AlertsSettings)
    said = capsys.readouterr().err
    assert name in said
    assert sentence in said

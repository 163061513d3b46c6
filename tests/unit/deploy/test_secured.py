"""What `make run` makes of FIRENET_MQTT_TLS, and what the broker is told then."""

from pathlib import Path

from deploy.stack.__main__ import mqtt_lines, run_options
from deploy.stack.firenet import BROKER_ACCOUNTS, FireNet, Options, Ports
from deploy.stack.mosquitto import DEPLOYED_ACCESS, SECURED_LISTENERS, Mosquitto, Secured
from services.registry.adapters.mosquitto import SERVICE_ACL


def config(folder: Path, secured: Secured | None) -> list[str]:
    return Mosquitto(folder, port=2000, secured=secured)._config(folder).splitlines()


def test_without_the_setting_the_broker_is_open_and_on_loopback(tmp_path: Path) -> None:
    assert run_options({}, tmp_path) == run_options({"FIRENET_MQTT_TLS": "0"}, tmp_path) == Options(patient=True)
    lines = config(tmp_path, None)
    assert "listener 2000 127.0.0.1" in lines
    assert "allow_anonymous true" in lines
    (said,) = mqtt_lines(FireNet(tmp_path, Ports(), Options()))
    assert "no passwords" in said


def test_secured_nobody_comes_without_a_name_and_only_gateways_from_elsewhere(tmp_path: Path) -> None:
    lines = config(tmp_path, Secured(tmp_path / "access", 2001, 2002, "0.0.0.0"))
    listeners = [line for line in lines if line.startswith("listener ")]
    assert listeners == ["listener 2001 0.0.0.0", "listener 2002 0.0.0.0", "listener 2000 127.0.0.1"]
    assert [line for line in lines if "anonymous" in line] == ["allow_anonymous false"] * 3
    assert not any(DEPLOYED_ACCESS in line for line in lines if not line.startswith("#"))


def test_every_deployed_listener_is_encrypted_and_bound_to_rights() -> None:
    _, *listeners = SECURED_LISTENERS.read_text().split("\nlistener ")
    assert len(listeners) == 3
    for listener in listeners:
        for needed in ("cafile ", "certfile ", "keyfile ", "acl_file ", "allow_anonymous false"):
            assert f"\n{needed}" in listener
        assert "\npassword_file " in listener or "\nrequire_certificate true" in listener


def test_the_setting_takes_mosquitto_and_names_where_gateways_find_it(tmp_path: Path) -> None:
    found = run_options(
        {"FIRENET_MQTT_TLS": "1", "FIRENET_MQTT_BIND": "0.0.0.0", "FIRENET_MQTT_NAMES": "mqtt.example 192.0.2.1"},
        tmp_path,
    )
    assert (found.mosquitto, found.secured, found.share_group) == (True, True, "ingest")
    assert (found.mqtt_bind, found.mqtt_names) == ("0.0.0.0", ("mqtt.example", "192.0.2.1"))


def test_a_secured_broker_waits_for_the_set_up_and_every_service_has_an_account(tmp_path: Path) -> None:
    firenet = FireNet(tmp_path, Ports(), Options(mosquitto=True, secured=True))
    assert firenet.mqtt not in firenet.parts
    environment = firenet._accounts()
    assert {environment[f"{prefix}_MQTT_USERNAME"] for prefix in BROKER_ACCOUNTS.values()} == set(BROKER_ACCOUNTS)
    assert set(BROKER_ACCOUNTS) <= set(SERVICE_ACL)
    passwords = [environment[f"{prefix}_MQTT_PASSWORD"] for prefix in BROKER_ACCOUNTS.values()]
    assert len(set(passwords)) == len(passwords)

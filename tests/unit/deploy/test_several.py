"""Several of each service in one stack: names, ports and the broker that they need."""

import shutil
from pathlib import Path

import pytest

from deploy.stack.__main__ import run_options, with_several
from deploy.stack.firenet import FireNet, Options, Ports, kind_of, several_of
from deploy.stack.part import PartError


@pytest.fixture
def no_mosquitto(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)


@pytest.fixture
def mosquitto(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/sbin/{name}")


def test_what_is_wanted_is_read_from_the_environment() -> None:
    assert several_of({"INGEST": "2", "RULES": "4", "ALERTS": "1", "DOCUMENTS": ""}) == {"ingest": 2, "rules": 4}
    for text in ("0", "-1", "two", "99"):
        with pytest.raises(PartError, match="RULES is"):
            several_of({"RULES": text})


def test_each_process_has_a_name_and_a_port_of_its_own(tmp_path: Path) -> None:
    several = {"ingest": 2, "rules": 3, "alerts": 2}
    (tmp_path / "postgres").mkdir()
    (tmp_path / "postgres" / "password").write_text("secret")
    firenet = FireNet(tmp_path, Ports.free(), Options(several=several, devices=True))
    services = {service.name: service for service in firenet.services()}
    names = {kind: [name for name in services if kind_of(name) == kind] for kind in several}
    assert names == {
        "ingest": ["ingest", "ingest-2"],
        "rules": ["rules", "rules-2", "rules-3"],
        "alerts": ["alerts", "alerts-2"],
    }
    ports = [
        services[name]._env[f"{kind.upper()}_HTTP_PORT"] for kind, processes in names.items() for name in processes
    ]
    assert len(set(ports)) == len(ports)
    assert services["rules-2"]._env["RULES_INSTANCE"] == "rules-2"
    assert services["rules-2"].needs == services["rules"].needs != ()
    assert services["rules-2"]._argv[-1] == "services.rules"
    assert services["alerts-2"]._env["ALERTS_LANE"] == "ordinary"
    assert {services[name]._env.get("INGEST_INSTANCE") for name in names["ingest"]} == {None}
    assert services["ingest-2"]._env["INGEST_TCP_PORT"] == "0"
    told = services["console"]._env["CONSOLE_HEALTH_SERVICES"].split(",")
    for kind, processes in names.items():
        assert [page for page in told if page.startswith(f"{kind}=")] == [
            f"{kind}=127.0.0.1:{services[name]._env[f'{kind.upper()}_HTTP_PORT']}" for name in processes
        ]


def test_a_port_can_be_chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIRENET_PORT_RULES_2", "9112")
    assert FireNet(tmp_path, Ports.free(), Options(several={"rules": 2})).further_ports == {"rules-2": 9112}


def test_several_of_rules_alone_need_no_mosquitto(tmp_path: Path, no_mosquitto: None) -> None:
    assert not run_options({"RULES": "4"}, tmp_path).mosquitto


def test_several_of_ingest_share_the_messages_at_mosquitto_behind_the_door(tmp_path: Path, mosquitto: None) -> None:
    options = run_options({"INGEST": "2"}, tmp_path)
    assert (options.mosquitto, options.has_door, options.share_group) == (True, True, "ingest")


def test_without_mosquitto_one_sentence_says_what_is_missing(tmp_path: Path, no_mosquitto: None) -> None:
    with pytest.raises(PartError, match="needs Mosquitto, which is not installed"):
        with_several({"ingest": 2}, tmp_path)


def test_what_waits_at_mosquitto_for_those_that_are_no_more_is_still_read(tmp_path: Path, mosquitto: None) -> None:
    assert not with_several({}, tmp_path).mosquitto
    data = tmp_path / "mqtt" / "data"
    data.mkdir(parents=True)
    (data / "mosquitto.db").touch()
    assert with_several({}, tmp_path).share_group == "ingest"

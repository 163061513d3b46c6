"""One run per folder, ports that must or need not be free, and what terminal and page are told of the door."""

import os
import socket
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from deploy.stack.causes import Cause
from deploy.stack.door import Shut
from deploy.stack.door_part import Door
from deploy.stack.firenet import FireNet, Options, Ports, setting_of
from deploy.stack.lock import only_one
from deploy.stack.lookout import PATIENCE_S, Lookout
from deploy.stack.part import PartError
from deploy.stack.part_status import PartStatus
from deploy.stack.ports import free_ports
from deploy.stack.process import StartFailed
from deploy.stack.set_up import SetUp
from services.console.domain.parts import PartRow, read_parts
from services.kernel.words import PartState


def test_a_folder_is_held_by_one_and_free_again_afterwards(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    for _ in range(2):
        with only_one(folder):
            told = rf"runs already in .*run \(process {os.getpid()}\)"
            with pytest.raises(PartError, match=told) as caught, only_one(folder):
                pass
            assert caught.value.cause is Cause.RUNS_ALREADY
    with only_one(tmp_path / "other"), only_one(folder):
        pass


def test_a_taken_port_is_named_before_the_first_start_only() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        ports = {setting_of("console"): str(server.getsockname()[1])}
        ports |= {setting_of(name): str(port) for name, port in zip(("mqtt", "mailbox"), free_ports(2), strict=True)}
        with pytest.raises(PartError, match="set FIRENET_PORT_CONSOLE") as caught:
            Ports.known(ports)
        assert caught.value.cause is Cause.PORT_TAKEN
        assert str(Ports.known(ports, must_be_free=False).console) == ports[setting_of("console")]


def test_no_port_is_found_when_none_is_asked_for() -> None:
    assert free_ports(0) == []


def test_data_counts_as_set_up_when_this_release_did_it(tmp_path: Path) -> None:
    firenet = FireNet(tmp_path, Ports.free(), Options())
    seen = [firenet.was_set_up]
    firenet.note_set_up()
    seen.append(firenet.was_set_up)  # there is no database yet
    firenet.postgres.folder.mkdir()
    (firenet.postgres.folder / "password").write_text("word\n")
    seen.append(firenet.was_set_up)
    (tmp_path / "set-up").write_text("of another release")
    seen.append(firenet.was_set_up)
    assert seen == [False, False, True, False]


class CommandLines:
    """Stands for the command lines: a register that has packs or none, and takes no other text under their number."""

    def __init__(self, packs: str = "") -> None:
        self.packs = packs
        self.imported: list[str] = []

    def command(self, module: str, *arguments: str, text: str = "", cancel: threading.Event | None = None) -> str:
        if arguments == ("list", "pack"):
            return self.packs
        if arguments[0] == "pack":
            self.imported.append(arguments[1])
            if self.packs:
                raise PartError(module, "a version above 1, which the register has with other content")
        return ""


def test_a_centre_that_has_a_pack_starts_whatever_the_shipped_packs_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    firenet = FireNet(tmp_path, Ports.free(), Options())
    lives, begins = CommandLines('{"pack_id": "sample-2026"}\n'), CommandLines()
    for tools in (lives, begins):
        monkeypatch.setattr(firenet, "command", tools.command)
        firenet.set_up()
    assert lives.imported == []
    assert [Path(each).name for each in begins.imported] == ["sample-2026.yaml"]


def test_a_set_up_that_failed_is_done_again_and_then_is_done(tmp_path: Path) -> None:
    done: list[bool] = []

    def work(_: threading.Event) -> None:
        done.append(True)
        if len(done) == 1:
            raise StartFailed("no answer from Kafka")

    one = SetUp(tmp_path / "set-up.log", work)
    with pytest.raises(PartError, match="the set-up failed: no answer from Kafka") as caught:
        one.start()
    assert caught.value.cause is Cause.UNREACHABLE
    seen = [one.alive()]
    one.start()
    assert [*seen, one.alive()] == [False, True]


class Clock:
    """Seconds that a test sets."""

    def __init__(self) -> None:
        self.at = 0.0

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC)

    def monotonic(self) -> float:
        return self.at


class ADoor(Door):
    why: str | None = None

    @property
    def shut_why(self) -> str | None:
        return self.why


def test_a_door_that_stays_shut_is_told_to_the_page_at_once_and_to_the_terminal_once(tmp_path: Path) -> None:
    said: list[str] = []
    clock, door = Clock(), ADoor(tmp_path, ways=[], broker_port=1)
    lookout = Lookout(tmp_path / "parts.json", door, said.append, clock)
    running = [PartStatus("Door", PartState.RUNS)]
    door.why = Shut.NOT_SUBSCRIBED
    lookout.look(running)
    told = read_parts((tmp_path / "parts.json").read_text())
    assert told == (PartRow("door", PartState.SHUT, "ingest_not_subscribed"),)
    assert said == []
    for _ in range(3):
        clock.at += PATIENCE_S
        lookout.look(running)
    assert [line.partition(".")[0] for line in said] == [
        "no gateway is let in: ingest has not subscribed at the broker"
    ]
    door.why = None
    lookout.look(running)
    assert said[1:] == ["gateways are let in again."]
    assert read_parts((tmp_path / "parts.json").read_text()) == ()


def test_a_door_that_does_not_run_is_told_as_any_part_is(tmp_path: Path) -> None:
    door = ADoor(tmp_path, ways=[], broker_port=1)
    door.why = Shut.BROKER_AWAY
    lookout = Lookout(tmp_path / "parts.json", door, lambda _: None, Clock())
    lookout.look([PartStatus("Door", PartState.FAILED, Cause.PORT_TAKEN)])
    assert read_parts((tmp_path / "parts.json").read_text()) == (PartRow("door", PartState.FAILED, "port_taken"),)

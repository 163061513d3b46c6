"""Tables, topics and policy pack brought up to date, as a part: done again on every start, and when it could not be."""

import hashlib
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from deploy.stack.part import PartError
from deploy.stack.process import StartFailed
from deploy.stack.service import ROOT


class SetUp:
    """Runs `work` once; from then on it counts as alive."""

    name = "set-up"
    needs = ("Kafka", "PostgreSQL")

    def __init__(self, log: Path, work: Callable[[threading.Event], None]) -> None:
        """`work` ends early when the event that it gets is set. It raises PartError or StartFailed."""
        self.log = log
        self._work = work
        self._cancel = threading.Event()
        self._done = False

    @property
    def pids(self) -> list[int]:
        return []

    @property
    def addresses(self) -> Mapping[str, str]:
        return {}

    def start(self) -> None:
        self._cancel.clear()
        try:
            self._work(self._cancel)
        except StartFailed as error:
            raise PartError(self.name, f"the set-up failed: {error}", error.cause) from error
        self._done = True

    def ready(self) -> bool:
        return self._done

    def alive(self) -> bool:
        return self._done

    def epitaph(self) -> str:
        return self.obituary().sentence

    def obituary(self) -> PartError:
        return PartError(self.name, "the set-up is not done.")

    def stop(self) -> None:
        self._cancel.set()

    def kill(self) -> None:
        self._cancel.set()


def fingerprint() -> str:
    """Return what changes whenever tables or topics do: data that was set up like this needs no set-up to be used."""
    digest = hashlib.sha256()
    for path in sorted([*(ROOT / "deploy" / "migrations").glob("*"), *(ROOT / "schemas" / "topics").glob("*")]):
        if path.is_file():
            digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()

"""What the supervisor sees every second, told to the page through a file and to the terminal in a sentence."""

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

from deploy.stack.door import Shut
from deploy.stack.door_part import Door
from deploy.stack.part_status import PartStatus, PartStatusFile
from deploy.stack.supervision import REPEAT_EVERY_S
from services.kernel.words import PartState
from services.runtime.clock import Clock

PATIENCE_S = 15.0
"""A door that is shut for less than this is one that is about to open."""
SHUT: dict[str, str] = {
    Shut.BROKER_AWAY: "the MQTT broker does not answer",
    Shut.NOT_SUBSCRIBED: "ingest has not subscribed at the broker",
    Shut.NOTHING_TAKEN: "ingest takes nothing, and the broker would soon drop messages",
    Shut.PORT_TAKEN: "its port is taken by another program",
}


class Lookout:
    """Call `look` with how the parts are doing."""

    def __init__(
        self,
        path: Path,
        door: Door | None,
        say: Callable[[str], None],
        clock: Clock,
        log_archive: Callable[[datetime], str | None] = lambda now: None,
    ) -> None:
        """`log_archive` says what keeps PostgreSQL's log from being archived."""
        self._door = door
        self._say = say
        self._clock = clock
        self._file: PartStatusFile | None = None
        self._shut_since: float | None = None
        self._told: str | None = None
        self._log_archive = log_archive
        self._log_told: tuple[str | None, float] = (None, 0.0)
        try:
            self._file = PartStatusFile(path)
        except OSError as error:
            say(f"the page will not show what does not run: {path} cannot be written ({error.strerror}).")

    def look(self, statuses: Sequence[PartStatus]) -> None:
        why = None if self._door is None else self._door.shut_why
        told = list(statuses)
        if why is not None and self._door is not None:
            place = next((n for n, one in enumerate(told) if one.name == self._door.name), None)
            if place is not None and told[place].state is PartState.RUNS:
                told[place] = PartStatus(self._door.name, PartState.SHUT, shut_why=why)
        if self._file is not None:
            self._file.write(told, self._clock.now())
        self._tell(why)
        self._tell_of_log()

    def _tell(self, why: str | None) -> None:
        now = self._clock.monotonic()
        if why is None:
            if self._told is not None:
                self._say("gateways are let in again.")
            self._shut_since = self._told = None
            return
        self._shut_since = now if self._shut_since is None else self._shut_since
        if why != self._told and now - self._shut_since >= PATIENCE_S:
            self._told = why
            self._say(
                f"no gateway is let in: {SHUT.get(why, why)}. They see a refused connection and keep what they have: "
                "a message that was acknowledged now would be lost."
            )

    def _tell_of_log(self) -> None:
        now, trouble = self._clock.monotonic(), self._log_archive(self._clock.now())
        told, at = self._log_told
        if trouble == told and (trouble is None or now - at < REPEAT_EVERY_S):
            return
        self._log_told = (trouble, now)
        self._say("PostgreSQL's log is archived again." if trouble is None else f"{trouble}.")

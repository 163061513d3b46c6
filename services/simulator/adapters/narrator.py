"""The story on standard output, one line per event, Chinese and English."""

from datetime import datetime
from typing import TextIO

from services.kernel.calendar import CHINA
from services.simulator.domain.script import Act, Event

_SIGNS = {Act.TELL: "·", Act.DROP: "✂", Act.MUTE: "✂", Act.RECOVER: "↑", Act.SIGNAL: "!"}


class TextNarrator:
    def __init__(self, out: TextIO) -> None:
        self._out = out

    def tell(self, at: datetime, event: Event) -> None:
        if event.zh or event.en:
            self._out.write(f"[{at.astimezone(CHINA):%H:%M:%S}] {_SIGNS[event.act]} {event.zh} | {event.en}\n")
            self._out.flush()

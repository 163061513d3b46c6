"""The ledger of a load run: one line per message that was handed to the broker, and whether it answered."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TextIO

from services.simulator.domain.load import Block, LoadPlan

COLUMNS = ("gateway", "seq", "kind", "lane", "intended_at", "sent_at", "acked_at")
UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """Instants in seconds since 1970. `acked_at` None: no answer came, the broker may or may not have the message."""

    gateway_id: str
    seq: int
    kind: str
    lane: str
    intended_at: float
    sent_at: float
    acked_at: float | None


class FileLedger:
    """Tab-separated, appended in order of the plan. Close it to have everything on disk."""

    def __init__(self, path: Path) -> None:
        self._file: TextIO = path.open("w", encoding="ascii", newline="\n")
        self._file.write("\t".join(COLUMNS) + "\n")

    def write(self, plan: LoadPlan, first: int, block: Block, started_s: float, started_at: datetime) -> None:
        began = (started_at.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(seconds=1)
        lines: list[str] = []
        for place, (sent_s, acked_s) in enumerate(zip(block.sent, block.acked, strict=True)):
            if math.isnan(sent_s):
                continue
            number = first + place
            acked = UNKNOWN if math.isnan(acked_s) else f"{began + acked_s - started_s:.6f}"
            lines.append(
                f"{plan.gateway_of(number)}\t{plan.seq_of(number)}\t{plan.kind_of(number).value}\t{plan.lane.value}\t"
                f"{began + plan.due_s(number):.6f}\t{began + sent_s - started_s:.6f}\t{acked}\n"
            )
        self._file.writelines(lines)

    def close(self) -> None:
        self._file.close()


def read_ledger(path: Path) -> Iterator[LedgerRow]:
    """Yield the rows of a ledger. Raises ValueError when the file is none."""
    with path.open(encoding="ascii") as file:
        if tuple(file.readline().rstrip("\n").split("\t")) != COLUMNS:
            raise ValueError(f"{path} is not a ledger of the load generator")
        for line in file:
            gateway_id, seq, kind, lane, intended, sent, acked = line.rstrip("\n").split("\t")
            answered = None if acked == UNKNOWN else float(acked)
            yield LedgerRow(gateway_id, int(seq), kind, lane, float(intended), float(sent), answered)

"""Where a drawn password is seen, once: on the terminal, or in a file that only its owner may read."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from services.registry.adapters.secret_files import create
from services.registry.domain.credentials import Drawn


class PrintedHandout:
    def __init__(self, out: TextIO) -> None:
        self._out = out

    def show(self, drawn: Sequence[Drawn]) -> None:
        for each in drawn:
            self._out.write(f"{each.gateway_id} {each.password}\n")
        self._out.flush()


class CsvHandout:
    """Makes a new file; one that is there is not touched, since it may hold the only copy of others."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def show(self, drawn: Sequence[Drawn]) -> None:
        if drawn:
            text = io.StringIO()
            writer = csv.writer(text)
            writer.writerow(("gateway_id", "password"))
            writer.writerows((each.gateway_id, each.password) for each in drawn)
            create(self._path, text.getvalue().encode())

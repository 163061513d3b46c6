"""What every command reads: packs, registry, facts and an ask."""

import argparse
from pathlib import Path
from typing import BinaryIO

from schemas.inputs import MAX_ASK, InputError, read_bytes, read_packs, read_registry
from services.compliance.adapters.facts import Facts, known, read_facts
from services.compliance.adapters.packs import policies
from services.compliance.domain.knowledge import Knowledge
from services.compliance.domain.listings import ListedAct

MAX_INSTANTS = 4
"""Of so many instants of knowledge everything is kept at once: a year of daily publications must not pile up."""


def add_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("--pack", action="append", default=[], type=Path, help="policy pack (YAML), once or more")
    command.add_argument("--registry", required=True, type=Path, help="registry events (JSON lines)")
    command.add_argument("--facts", required=True, help="what `python -m services.rules facts` wrote; - is stdin")
    command.add_argument("--ask", required=True, type=Path, help="what is asked (JSON)")


class Inputs:
    """Everything read, once. Raises InputError."""

    def __init__(self, options: argparse.Namespace, stdin: BinaryIO) -> None:
        self._facts = _facts(options.facts, stdin)
        self._packs = policies(read_packs(options.pack))
        self._registry = read_registry(options.registry)
        self.ask = read_bytes(options.ask, "bad_ask", MAX_ASK)
        self._by_instant: dict[tuple[int | None, bool], Knowledge] = {}

    def knowledge(self, known_at: int | None, *, adjusted: bool = True) -> Knowledge:
        """Return what was known at an instant, everything where it is None; not `adjusted`: as it was measured."""
        key = (known_at, adjusted)
        if key not in self._by_instant:
            if len(self._by_instant) >= MAX_INSTANTS:
                self._by_instant.pop(next(iter(self._by_instant)))
            found = known(self._registry, self._facts, known_at, adjusted=adjusted)
            self._by_instant[key] = Knowledge(found, self._packs)
        return self._by_instant[key]

    def listings(self, known_at: int | None) -> list[ListedAct]:
        """Return what was done with listings, as known at an instant."""
        return [act for at, act in self._facts.listings if known_at is None or at <= known_at]


def _facts(source: str, stdin: BinaryIO) -> Facts:
    if source == "-":
        return read_facts(stdin)
    try:
        with Path(source).open("rb") as stream:
            return read_facts(stream)
    except OSError as error:
        raise InputError("bad_log", f"facts: {error.strerror}") from error

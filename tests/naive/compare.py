"""The product's pipe and the recomputation on the same history, and the smallest history on which they differ."""

import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from services.compliance.cli import figures
from services.rules.command import facts
from tests.naive.answer import answer
from tests.naive.inputs import History, Row

Item = TypeVar("Item")


@dataclass(frozen=True)
class Difference:
    """What the two say of one history."""

    naive: str
    product: str


def product(history: History, work: Path) -> str:
    """Return stdout of the pipe of two commands, run in this process with its files in `work`."""
    write(history, work)
    common = ["--registry", str(work / "REGISTRY.jsonl")]
    for number in range(len(history.packs)):
        common += ["--pack", str(work / pack_name(number))]
    told, out = io.BytesIO(), io.BytesIO()
    facts.run([*common, "--log", str(work / "LOG.jsonl")], told)
    told.seek(0)
    figures.run(["figures", *common, "--facts", "-", "--ask", str(work / "ASK.json")], told, out)
    return out.getvalue().decode()


def pack_name(number: int) -> str:
    """Return the file name of a pack; the first is named as in the worked examples."""
    return "PACK.yaml" if number == 0 else f"PACK-{number + 1}.yaml"


def write(history: History, place: Path) -> None:
    """Write the four kinds of files of a history."""
    place.mkdir(parents=True, exist_ok=True)
    for number, source in enumerate(history.packs):
        (place / pack_name(number)).write_text(source, "utf-8")
    (place / "REGISTRY.jsonl").write_text("".join(line + "\n" for line in history.registry), "utf-8")
    (place / "LOG.jsonl").write_text("".join(line + "\n" for line in history.log), "utf-8")
    (place / "ASK.json").write_text(json.dumps(history.ask, ensure_ascii=False, indent=1) + "\n", "utf-8")


def difference(history: History, work: Path) -> Difference | None:
    """Return what differs, byte for byte; of an error the code alone, its `where` is free. None when nothing does."""
    naive, told = answer(history), product(history, work)
    if naive == told or (naive.startswith('{"error"') and code_of(naive) == code_of(told)):
        return None
    return Difference(naive, told)


def code_of(line: str) -> str | None:
    """Return the code of an error, None of an answer."""
    said: Row = json.loads(line)
    return str(said["error"]["code"]) if "error" in said else None


def shrunk(history: History, work: Path) -> History:
    """Return a smaller history on which the two still differ, and give an answer each if they did so before."""
    whole = difference(history, work)
    assert whole is not None
    errors = {whole.naive.startswith('{"error"'), whole.product.startswith('{"error"')}

    def differs(smaller: History) -> bool:
        now = difference(smaller, work)
        return now is not None and {now.naive.startswith('{"error"'), now.product.startswith('{"error"')} == errors

    for _ in range(2):
        for key in sorted(history.ask):
            if isinstance(history.ask[key], list):
                history = _less_ask(history, key, differs)
        history = _less(history, "log", differs)
        history = _less(history, "registry", differs)
        history = _less(history, "packs", differs)
    return replace(history, log=tuple(_numbered(history.log)))


def _less_ask(history: History, key: str, differs: Callable[[History], bool]) -> History:
    """Leave out items of one list of the ask."""

    def with_items(items: Sequence[Row]) -> History:
        return replace(history, ask={**history.ask, key: list(items)})

    return with_items(fewer(history.ask[key], lambda items: differs(with_items(items))))


def _less(history: History, name: str, differs: Callable[[History], bool]) -> History:
    """Leave out lines of one file, or whole packs."""

    def with_items(items: Sequence[str]) -> History:
        changed: dict[str, Any] = {name: tuple(_numbered(items) if name == "log" else items)}
        return replace(history, **changed)

    return with_items(fewer(getattr(history, name), lambda items: differs(with_items(items))))


def _numbered(log: Sequence[str]) -> list[str]:
    """Number the offsets of a log anew."""
    return [json.dumps({**json.loads(line), "offset": n}, ensure_ascii=False) for n, line in enumerate(log)]


def fewer(items: Sequence[Item], wanted: Callable[[Sequence[Item]], bool]) -> list[Item]:
    """Return a subset that is still `wanted`, and no more so without any one chunk (delta debugging)."""
    left = list(items)
    size = max(1, len(left) // 2)
    while left:
        at, shorter = 0, False
        while at < len(left):
            without = left[:at] + left[at + size :]
            if wanted(without):
                left, shorter = without, True
            else:
                at += size
        if size == 1 and not shorter:
            break
        size = max(1, size // 2)
    return left

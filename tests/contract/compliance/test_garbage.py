"""Whatever stands in the files: an answer, or one error with a fixed code; never a traceback, never half an answer."""

import copy
import json
import random
from pathlib import Path
from typing import Any

import pytest

from schemas.inputs import EXIT_OF
from tests.contract.compliance.pipe import answer
from tests.contract.compliance.scenario import iso

EXAMPLE = Path(__file__).parent / "examples" / "registered-points"
ODD: list[Any] = [
    None, True, 0, -1, 1, 10**30, 10**400, 0.5, -0.0, 1e308, "", " ", "0", "x" * 500, "\x00", "2026-03-10",
    "2026-03-10T00:00:00", "9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00",
    "0001-01-01", "9999-12-31", "2026-02-30", "1999-W01-1", "٢٠٢٦-٠٣-١٠", "7d", "12m", "S1+S2", "U1", "G1", "*", [],
    [[]], {}, {"a": 1}, [None], "NaN", "inf", "T01", "coverage", "1e3", "\ud7ff\U0010ffff",
]  # fmt: skip
MARCH = {"from": "2026-03-01", "to": "2026-04-01"}
ASK = {
    "known_at": iso(86_400),
    "figures": [
        {"metric": "live_networking_rate", "scope": "S1", "at": iso(600), "slice": {"town": "T001"}},
        {"metric": "time_weighted_networking_rate", "scope": "S1+S2", **MARCH},
        {"metric": "unit_availability", "scope": "S1", "unit": "U1", "span": "2m", "at": "2026-12-10"},
        {"metric": "fault_cure_timely_rate", "scope": "S1", "limit_s": 3600, **MARCH},
        {"metric": "meeting_units_rate", "scope": "S1", "availability": "0.9", **MARCH},
        {"metric": "data_completeness", "scope": "S1", **MARCH},
        {"metric": "device_intact_rate", "scope": "S1", **MARCH},
    ],
    "intervals": [{"units": ["U1"], "from": "2026-03-10", "to": "2026-03-11"}],
    "blocking": [{"target": "T01", "at": "2026-03-10", "from": "2026-01-01"}],
    "forecast": [{"target": "T01", "at": "2026-03-10", "from": "2026-01-01"}],
    "revisions": [
        {"figure": {"metric": "coverage", "scope": "S1", "from": "2026-03-10", "to": "2026-03-11"},
         "published_at": ["2026-03-11T06:00:00Z"]},
    ],
}  # fmt: skip


def mutated(chance: random.Random, value: Any) -> Any:
    """Return a copy with one place put wrong: another value, a key more, a key less."""
    value = copy.deepcopy(value)
    places = list(_places(value))
    holder, key = chance.choice(places)
    match chance.randrange(6):
        case 0 if isinstance(holder, dict):
            del holder[key]
        case 1 if isinstance(holder, dict):
            holder[chance.choice(["more", "at", "from", "unit", "limit_s"])] = chance.choice(ODD)
        case 2:
            holder[key] = holder[chance.choice(list(holder))] if isinstance(holder, dict) else chance.choice(ODD)
        case _:
            holder[key] = chance.choice(ODD)
    return value


def _places(value: Any) -> Any:
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield value, key
        yield from _places(child)


def spoiled(chance: random.Random, raw: bytes) -> bytes:
    """Return bytes with a few put wrong, cut out or doubled."""
    made = bytearray(raw)
    for _ in range(chance.randint(1, 3)):
        at = chance.randrange(len(made))
        match chance.randrange(3):
            case 0:
                made[at] = chance.randrange(256)
            case 1:
                del made[at : at + chance.randint(1, 40)]
            case _:
                made[at:at] = made[max(0, at - chance.randint(1, 40)) : at]
    return bytes(made)


def lines_with_one_mutated(chance: random.Random, raw: bytes) -> bytes:
    lines = raw.splitlines()
    index = chance.randrange(len(lines))
    lines[index] = _dumped(mutated(chance, json.loads(lines[index])))
    return b"\n".join(lines) + b"\n"


def _dumped(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")


def garbage(chance: random.Random) -> dict[str, bytes]:
    """Return what stands in place of one of the files."""
    name, file = chance.choice(
        [("pack", "PACK.yaml"), ("registry", "REGISTRY.jsonl"), ("log", "LOG.jsonl"), ("ask", "ASK.json")]
    )
    raw = (EXAMPLE / file).read_bytes()
    if chance.random() < 0.3 or name == "pack":
        return {name: spoiled(chance, raw)}
    return {name: _dumped(mutated(chance, ASK)) if name == "ask" else lines_with_one_mutated(chance, raw)}


@pytest.mark.parametrize("seed", range(60))
def test_garbage_in_any_file_is_an_answer_or_an_error_with_its_code(seed: int, tmp_path: Path) -> None:
    given: dict[str, Any] = {"ask": _dumped(ASK), **garbage(random.Random(seed))}

    code, told = answer(EXAMPLE, tmp_path, **given)

    assert told.endswith(b"\n")
    assert told.count(b"\n") == 1
    answered = json.loads(told)
    if code:
        assert set(answered["error"]) == {"code", "where"}
        assert EXIT_OF[answered["error"]["code"]] == code
    else:
        assert set(answered) >= {"figures", "through"}

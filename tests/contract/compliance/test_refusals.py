"""Whatever is wrong with the input is one error with a fixed code and exit code, and nothing beside it."""

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from schemas.inputs import EXIT_OF, MAX_LINE
from services.compliance.cli import figures
from tests.contract.compliance.pipe import answer

EXAMPLE = Path(__file__).parent / "examples" / "two-gateways-one-lost"
LOG = (EXAMPLE / "LOG.jsonl").read_bytes()
PACK = (EXAMPLE / "PACK.yaml").read_bytes()
LIVE = {"metric": "live_networking_rate", "scope": "S1", "at": "2026-03-10T00:20:00Z"}
WINDOW = {"from": "2026-03-10", "to": "2026-03-11"}
OF_TIME = {"metric": "time_weighted_networking_rate", "scope": "S1", **WINDOW}


def refused(told: tuple[int, bytes]) -> str:
    code, out = told
    assert out.count(b"\n") == 1
    answered = json.loads(out)
    assert set(answered) == {"error"}
    assert set(answered["error"]) == {"code", "where"}
    assert EXIT_OF[answered["error"]["code"]] == code
    return str(answered["error"]["code"])


BAD_ASKS: dict[str, tuple[object, str]] = {
    "no object": ([], "bad_ask"),
    "unknown key": ({"figure": []}, "bad_ask"),
    "number for a name": ({"figures": [{**LIVE, "scope": 1}]}, "bad_ask"),
    "null metric": ({"figures": [{**LIVE, "metric": None}]}, "bad_ask"),
    "instant without offset": ({"figures": [{**LIVE, "at": "2026-03-10T00:00:00"}]}, "bad_ask"),
    "no such day": ({"figures": [{**LIVE, "at": "2026-02-30"}]}, "bad_ask"),
    "year that has no day before": ({"figures": [{**LIVE, "at": "0001-01-01"}]}, "bad_ask"),
    "year that has no day after": ({"known_at": "9999-12-31T23:59:59Z"}, "bad_ask"),
    "slice by name": ({"figures": [{**LIVE, "slice": {"name": "x"}}]}, "bad_ask"),
    "window for an instant": ({"figures": [{"metric": "access_rate", "scope": "S1", **WINDOW}]}, "bad_ask"),
    "from is to": ({"intervals": [{"from": "2026-03-10", "to": "2026-03-10"}]}, "bad_ask"),
    "scope of no pack": ({"figures": [{**LIVE, "scope": "S1+S9"}]}, "unknown_scope"),
    "metric without a source": ({"figures": [{**LIVE, "metric": "verified_rate"}]}, "unknown_metric"),
    "target of no pack": ({"blocking": [{"target": "T99"}]}, "unknown_target"),
    "forecast for a target of no pack": ({"forecast": [{"target": "T99"}]}, "unknown_target"),
    "list for a target without one": ({"blocking": [{"target": "T04"}]}, "unknown_metric"),
    "forecast for an access rate": ({"forecast": [{"target": "T03"}]}, "unknown_metric"),
    "target from after at": ({"forecast": [{"target": "T01", "from": "2026-03-11", "at": "2026-03-10"}]}, "bad_ask"),
    "target in a year without a pack": ({"blocking": [{"target": "T01", "at": "2025-03-10"}]}, "no_pack"),
    "availability without a unit": ({"figures": [{**OF_TIME, "metric": "unit_availability"}]}, "bad_ask"),
    "cure without a limit": ({"figures": [{**OF_TIME, "metric": "fault_cure_timely_rate"}]}, "bad_ask"),
    "cure below nought": ({"figures": [{**OF_TIME, "metric": "fault_cure_timely_rate", "limit_s": -1}]}, "bad_ask"),
    "meeting without availability": ({"figures": [{**OF_TIME, "metric": "meeting_units_rate"}]}, "bad_ask"),
    "meeting more than all": (
        {"figures": [{**OF_TIME, "metric": "meeting_units_rate", "availability": "1.1"}]},
        "bad_ask",
    ),
    "limit for a rate without": ({"figures": [{**OF_TIME, "limit_s": 5}]}, "bad_ask"),
    "an instant for a window": ({"figures": [{"metric": "coverage", "scope": "S1", "at": "2026-03-10"}]}, "bad_ask"),
    "span and from": ({"figures": [{**OF_TIME, "span": "7d"}]}, "bad_ask"),
    "span of nothing": ({"figures": [{"metric": "coverage", "scope": "S1", "span": "0d"}]}, "bad_ask"),
    "span before all years": (
        {"figures": [{"metric": "coverage", "scope": "S1", "span": "9999m", "at": "0800-01-01"}]},
        "bad_ask",
    ),
    "revision of an unknown metric": (
        {"revisions": [{"figure": {"metric": "x", "scope": "S1"}, "published_at": ["2026-03-10"]}]},
        "unknown_metric",
    ),
    "revision published at no instant": ({"revisions": [{"figure": OF_TIME, "published_at": ["x"]}]}, "bad_ask"),
    "scope with an end": ({"figures": [{**LIVE, "scope": "S1+"}]}, "unknown_scope"),
    "unit nobody knows": ({"intervals": [{"units": ["U9"], **WINDOW}]}, "unknown_unit"),
    "unit not known then": ({"known_at": "2020-01-01", "intervals": [{"units": ["U1"], **WINDOW}]}, "unknown_unit"),
    "day without a pack": ({"figures": [{**LIVE, "at": "2027-01-01"}]}, "no_pack"),
    "window half without a pack": ({"intervals": [{"from": "2025-12-31", "to": "2026-01-02"}]}, "no_pack"),
}


@pytest.mark.parametrize(("ask", "code"), BAD_ASKS.values(), ids=BAD_ASKS.keys())
def test_what_cannot_be_answered_is_told_by_its_code(ask: object, code: str, tmp_path: Path) -> None:
    assert refused(answer(EXAMPLE, tmp_path, ask=json.dumps(ask).encode())) == code


@pytest.mark.parametrize(
    "raw", [b"", b"{", b"\xff{}", b'{"known_at":NaN}', b"[" * 100_000, b'{"figures":' + b"[" * 100_000]
)
def test_an_ask_that_is_no_json_is_refused(raw: bytes, tmp_path: Path) -> None:
    assert refused(answer(EXAMPLE, tmp_path, ask=raw)) == "bad_ask"


@pytest.mark.parametrize(
    "raw",
    [
        b"\xff",
        b"{}",
        b"",
        b"a: [",
        b"[" * 100_000,
        PACK.replace(b"blind_after_s: 60", b"blind_after_s: .nan"),
        PACK + b"close_after_s: -1\n",
        PACK + b"surprise: 1\n",
    ],
)
def test_a_pack_that_is_none_is_refused_by_either_command(raw: bytes, tmp_path: Path) -> None:
    assert refused(answer(EXAMPLE, tmp_path, pack=raw)) == "bad_pack"


@pytest.mark.parametrize("raw", [b"\xff\n", b"{}\n", b"\n", b"[" * 100_000 + b"\n", b"1" * (MAX_LINE + 2)])
def test_a_registry_that_is_none_is_refused(raw: bytes, tmp_path: Path) -> None:
    assert refused(answer(EXAMPLE, tmp_path, registry=raw)) == "bad_registry"


@pytest.mark.parametrize(
    "raw",
    [
        b"\xff\n",
        b"{}\n",
        b"\n",
        b"[" * 100_000 + b"\n",
        b"1" * (MAX_LINE + 2),
        LOG.replace(b'"partition":0', b'"partition":1', 1),
        LOG.replace(b'"number":1', b'"number":NaN', 1),
        LOG.replace(b'"offset":0', b'"offset":"x"', 1),
        LOG[:-20],
    ],
)
def test_a_log_that_is_none_is_refused_whole(raw: bytes, tmp_path: Path) -> None:
    assert refused(answer(EXAMPLE, tmp_path, log=raw)) == "bad_log"


def test_a_log_whose_recorded_at_falls_is_not_in_order(tmp_path: Path) -> None:
    first, *rest = LOG.splitlines(keepends=True)

    assert refused(answer(EXAMPLE, tmp_path, log=b"".join([*rest, first]))) == "log_not_in_order"


def test_facts_that_are_cut_short_are_no_short_log(tmp_path: Path) -> None:
    common = ["--pack", str(EXAMPLE / "PACK.yaml"), "--registry", str(EXAMPLE / "REGISTRY.jsonl")]
    out = io.BytesIO()

    code = figures.run(["figures", *common, "--facts", "-", "--ask", str(EXAMPLE / "ASK.json")], io.BytesIO(), out)

    assert refused((code, out.getvalue())) == "bad_log"


def test_without_a_pack_there_is_no_figure(tmp_path: Path) -> None:
    (tmp_path / "ASK.json").write_text("{}")
    registry = str(EXAMPLE / "REGISTRY.jsonl")
    rules = [
        sys.executable,
        "-m",
        "services.rules",
        "facts",
        "--registry",
        registry,
        "--log",
        str(EXAMPLE / "LOG.jsonl"),
    ]
    first = subprocess.run(rules, capture_output=True, check=False)
    compliance = [sys.executable, "-m", "services.compliance", "figures", "--registry", registry, "--facts", "-"]
    second = subprocess.run(
        [*compliance, "--ask", str(tmp_path / "ASK.json")], input=first.stdout, capture_output=True, check=False
    )

    assert refused((first.returncode, first.stdout)) == "no_pack"
    assert (second.returncode, second.stdout) == (first.returncode, first.stdout)


def test_an_empty_log_reaches_no_day_and_the_refusal_says_so(tmp_path: Path) -> None:
    code, out = answer(EXAMPLE, tmp_path, log=b"", ask=json.dumps({"figures": [{**LIVE, "at": None}]}).encode())
    assert refused((code, out)) == "no_pack"
    assert b"1970-01-01, which is as far as a log without a tick reaches" in out

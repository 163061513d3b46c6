"""Delivery may be late, doubled and shuffled; what was known at an instant is what a log cut there says."""

import json
import random
from dataclasses import replace
from pathlib import Path

import pytest

from tests.contract.compliance.pipe import answer
from tests.contract.compliance.scenario import DAY, Scenario, seconds

EXAMPLES = Path(__file__).parent / "examples"
HOUR = 3600
CASES = ["silent-ingest-says-leaving", "broker-down-20-minutes", "last-will-makes-late-at-once", "registered-points"]
ASK = {
    "figures": [
        {"metric": "live_networking_rate", "scope": "S1"},
        {"metric": "access_rate", "scope": "S1+S2"},
    ],
    "intervals": [{"from": "2026-03-10", "to": "2026-03-11"}],
}


def lines_of(example: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (example / "LOG.jsonl").read_text("utf-8").splitlines()]


def is_tick(line: dict[str, object]) -> bool:
    event = line["event"]
    assert isinstance(event, dict)
    return str(event["type"]) == "cn.firenet.tick.v1"


def log_of(lines: list[dict[str, object]]) -> bytes:
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


def asked(example: Path, work: Path, log: bytes, **more: object) -> dict[str, object]:
    code, told = answer(example, work, log=log, ask=json.dumps({**ASK, **more}).encode())
    assert code == 0, told
    answered = json.loads(told)
    assert isinstance(answered, dict)
    return answered


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("seed", range(3))
def test_signals_shuffled_and_doubled_end_in_the_same_answer(name: str, seed: int, tmp_path: Path) -> None:
    chance, lines = random.Random(seed), lines_of(EXAMPLES / name)
    ticks = [line for line in lines if is_tick(line)]
    signals = [line for line in lines if not is_tick(line)]
    signals += chance.sample(signals, len(signals) // 3)
    chance.shuffle(signals)
    late = [{**line, "recorded_at": lines[-1]["recorded_at"]} for line in signals]

    assert asked(EXAMPLES / name, tmp_path, log_of(ticks + late)) == asked(EXAMPLES / name, tmp_path, log_of(lines))


@pytest.mark.parametrize("seed", range(3))
def test_doubled_shuffled_and_six_hours_late_the_figures_of_a_day_are_those_of_the_clean_stream(
    seed: int, tmp_path: Path
) -> None:
    """Half of the signals, an outage and a fault among them, come six hours after they were received by ingest."""
    chance, clean = random.Random(seed), Scenario(tmp_path).unit().gateway().ticks(0, DAY + 7 * HOUR)
    clean.heartbeats(0, 5 * HOUR).heartbeats(6 * HOUR, 20 * HOUR)
    clean.signal(7 * HOUR, "fault", point="p1").signal(8 * HOUR, "restore", point="p1", restores="fault")
    late = replace(clean, log=[line for line in clean.log if is_tick({"event": line[2]})])
    signals = [line[2] for line in clean.log if not is_tick({"event": line[2]})]
    for event in chance.sample(signals, len(signals) * 4 // 3, counts=[2] * len(signals)) + signals:
        received = seconds(event["time"])
        late.log.append((received + (6 * HOUR if chance.random() < 0.5 else 0), len(late.log), event))
    chance.shuffle(late.log)

    for metric in ("time_weighted_networking_rate", "coverage", "data_completeness", "device_intact_rate"):
        figure = clean.figure(metric, 0, DAY)
        assert figure["complete"]
        assert late.figure(metric, 0, DAY) == figure


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("part", [0.0, 0.2, 0.4, 0.6, 0.8, 1.0])
def test_known_at_equals_the_log_cut_there(name: str, part: float, tmp_path: Path) -> None:
    lines = lines_of(EXAMPLES / name)
    known_at = str(lines[round(part * (len(lines) - 1))]["recorded_at"])
    cut = [line for line in lines if str(line["recorded_at"]) <= known_at]

    whole = asked(EXAMPLES / name, tmp_path, log_of(lines), known_at=known_at)

    assert whole == asked(EXAMPLES / name, tmp_path, log_of(cut), known_at=known_at)


@pytest.mark.parametrize("name", CASES)
def test_two_halves_of_a_window_add_up_to_it(name: str, tmp_path: Path) -> None:
    start, middle, end = "2026-03-10T00:00:00Z", "2026-03-10T00:07:13.123456Z", "2026-03-10T00:15:00Z"
    windows = [{"from": start, "to": end}, {"from": start, "to": middle}, {"from": middle, "to": end}]
    lines = log_of(lines_of(EXAMPLES / name))

    told = asked(EXAMPLES / name, tmp_path, lines, intervals=windows, figures=[])

    found = told["intervals"]
    assert isinstance(found, list)
    for unit, whole in found[0].items():
        for kind in ("connection", "health"):
            assert _merged(found[1][unit][kind] + found[2][unit][kind]) == whole[kind]
            assert _merged(whole[kind]) == whole[kind]


def _merged(intervals: list[dict[str, object]]) -> list[dict[str, object]]:
    merged: list[dict[str, object]] = []
    for each in intervals:
        if merged and {**merged[-1], "from": 0, "to": 0} == {**each, "from": 0, "to": 0}:
            assert merged[-1]["to"] == each["from"]
            merged[-1] = {**merged[-1], "to": each["to"]}
        else:
            merged.append(each)
    return merged


def test_without_a_tick_all_is_blind_and_nothing_has_begun(tmp_path: Path) -> None:
    example = EXAMPLES / "steady"

    told = asked(example, tmp_path, b"", known_at="2026-03-10T00:00:00Z")

    assert told["through"] == "2026-03-10T00:00:00.000000Z"
    live = told["figures"]
    assert isinstance(live, list)
    assert (live[0]["numerator"], live[0]["unknown"], live[0]["high"]) == (0, 1, "100.0")

"""A checker that finds nothing proves nothing: each rule is shown a history that breaks it."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from schemas import codec
from schemas.signal import Signal, SignalData, Tick, TickData, TickState
from services.runtime.kafka import partition_of
from tests.checker.delivery import Sent, Stored, check_account, check_delivery, copies
from tests.checker.notices import Copy, Outage, check_all_clears, check_fires, check_intake, check_notices
from tests.checker.replay import Facts, LogEntry, Setting, check_facts, check_findings, replay
from tests.integration.rules.harness import registry_records

START = datetime(2026, 3, 2, 2, tzinfo=UTC)
SENT = [Sent(f"s{number}", "G1", number, "heartbeat", "up", 0.0, 1.0) for number in range(4)]
STORED = [Stored(f"s{number}", "G1", number, "up") for number in range(4)]


def test_a_good_delivery_may_repeat() -> None:
    repeated = [*STORED, STORED[1], STORED[2]]
    assert not check_delivery(SENT, repeated, [])
    assert copies(repeated) == 2


def test_a_refused_message_is_not_lost_but_a_good_one_must_not_be_refused() -> None:
    (found,) = check_delivery(SENT, STORED[:3], ["s3"])
    assert "refused although good" in found


@pytest.mark.parametrize(
    ("stored", "words"),
    [
        (STORED[:3], "neither stored nor refused"),
        ([*STORED, Stored("x", "G1", 9, "up")], "never sent"),
        ([STORED[0], STORED[2], STORED[1], STORED[3]], "out of order"),
    ],
)
def test_a_bad_delivery_is_found(stored: list[Stored], words: str) -> None:
    (found,) = check_delivery(SENT, stored, [])
    assert words in found


def test_what_was_never_acknowledged_may_be_missing() -> None:
    assert not check_delivery([*SENT, Sent("u", "G1", 4, "fault", "up", 0.0)], STORED, [])


def test_counters() -> None:
    counts = {"received": 6.0, "stored": 3.0, "repeated": 1.0, "refused": 1.0, "handed_back": 0.0}
    counters = {(name, "main"): count for name, count in counts.items()}
    assert not check_account(counters | {("in_flight", "main"): 1.0})
    assert check_account(counters | {("in_flight", "main"): 0.0})


# --- rules


def record(unit: str, number: int, kind: str, after_s: float) -> tuple[str, bytes]:
    data = SignalData.model_validate(
        {"gateway_id": f"G-{unit}", "unit_id": unit, "kind": kind, "carrier": "mqtt_json", "lane": "up",
         "instance": "ingest-1", "seq": number}
    )  # fmt: skip
    at = START + timedelta(seconds=after_s)
    event = Signal(id=f"{unit}-{number}", source=f"/gateways/G-{unit}", subject=unit, time=at, data=data)
    return unit, codec.signals.encode(event)


def tick(number: int, after_s: float) -> bytes:
    at = START + timedelta(seconds=after_s)
    data = TickData(instance="ingest-1", epoch=1, number=number, state=TickState.LIVE, proven_until=at)
    return codec.signals.encode(Tick(id=f"t{number}", source="/ingest/ingest-1", time=at, data=data))


@pytest.fixture(scope="module")
def history() -> tuple[Facts, Facts]:
    """Two units for a while: both come, one has a fault, one falls silent until it is offline."""
    setting = Setting(2, 40.0)
    log: dict[int, list[LogEntry]] = {0: [], 1: []}
    number = 0
    for second in range(20):
        for unit in ("A", "B"):
            number += 1
            if unit == "A" or second < 4:
                kind = "fault" if (unit, second) == ("A", 3) else "heartbeat"
                _, value = record(unit, number, kind, second + 0.1)
                place = log[partition_of(unit.encode(), 2)]
                place.append(LogEntry(len(place), value))
        for place in log.values():
            place.append(LogEntry(len(place), tick(second, second + 0.5)))
    until = {partition: len(place) - 3 for partition, place in log.items()}
    return replay(setting, registry_records(["A", "B"]), log, until)


def test_replay_tells_the_story(history: tuple[Facts, Facts]) -> None:
    before, whole = history
    states = {(row[1], row[2], row[4]) for row in whole.transitions}
    assert {("A", "health", "fault"), ("B", "connection", "online"), ("B", "connection", "offline")} <= states
    assert len(whole.findings) == 2
    assert not check_facts(before, before)
    assert not check_findings(list(whole.findings.items()), [], before, whole)


def lose(facts: Facts) -> Facts:
    return replace(facts, transitions=facts.transitions[1:])


def double(facts: Facts) -> Facts:
    return replace(facts, transitions=[*facts.transitions, facts.transitions[-1]])


def make_up(facts: Facts) -> Facts:
    first = facts.transitions[0]
    return replace(facts, transitions=[*facts.transitions, ("made-up", *first[1:])])


def lose_signal(facts: Facts) -> Facts:
    return replace(facts, signals=facts.signals[1:])


def miscount(facts: Facts) -> Facts:
    place, count = next(iter(facts.beats.items()))
    return replace(facts, beats=facts.beats + type(facts.beats)({place: count}))


def lose_unit(facts: Facts) -> Facts:
    return replace(facts, units={"A": facts.units["A"]})


def other_rate(facts: Facts) -> Facts:
    key = next(iter(facts.rates))
    return replace(facts, rates={**facts.rates, key: (0,) * 8})


@pytest.mark.parametrize("break_it", [lose, double, make_up, lose_signal, miscount, lose_unit, other_rate])
def test_every_break_of_the_facts_is_found(history: tuple[Facts, Facts], break_it: Callable[[Facts], Facts]) -> None:
    before, _ = history
    assert check_facts(break_it(before), before)


def test_every_break_of_the_findings_is_found(history: tuple[Facts, Facts]) -> None:
    before, whole = history
    every = list(whole.findings.items())
    assert not check_findings([*every, every[0]], [], before, whole), "a repeat on the wire has no effect"
    assert not check_findings(every[1:], [every[0][0]], before, whole), "it waits in the outbox"
    assert check_findings(every[1:], [], before, whole)
    assert check_findings([*every, ("made-up", b"{}")], [], before, whole)
    assert len(check_findings([*every, (every[0][0], every[1][1])], [], before, whole)) == 1
    assert check_findings([(every[0][0], every[1][1]), *every[1:]], [], before, whole)


# --- notices

COPY = Copy("n1", "c1", "H0", "notice", "C-centre", "webhook", False, "accepted")
CLEAR = replace(COPY, notice_id="n2", step="CLEAR", purpose="all_clear")
CALM = Outage(0, ())


def test_good_notices() -> None:
    taken_back = replace(COPY, notice_id="n3", step="H1", state="cancelled", reason="case_closed")
    assert not check_notices([COPY, CLEAR, taken_back], {"n1": 1, "n2": 1}, CALM)
    assert not check_notices([COPY], {"n1": 2}, Outage(1, {"n1"}))


@pytest.mark.parametrize(
    ("rows", "heard", "outage"),
    [
        ([COPY], {}, CALM),
        ([COPY], {"n1": 2}, CALM),
        ([COPY], {"n1": 3}, Outage(1, {"n1"})),
        ([COPY], {"n1": 2}, Outage(1, {"other"})),
        ([COPY], {"n1": 1, "x": 1}, CALM),
        ([COPY, replace(COPY, notice_id="n9")], {"n1": 1, "n9": 1}, CALM),
        ([replace(COPY, state="dead")], {}, CALM),
        ([replace(COPY, fire=True, state="cancelled")], {}, CALM),
    ],
)
def test_bad_notices_are_found(rows: list[Copy], heard: dict[str, int], outage: Outage) -> None:
    assert check_notices(rows, heard, outage)


def test_intake_fires_and_all_clears() -> None:
    assert not check_intake(["f"], {"f", "g"})
    assert check_intake(["f"], {"g"})
    assert not check_fires({"U": 2}, {"U": 2}, {"U": 2})
    assert check_fires({"U": 2}, {"U": 1}, {"U": 2})
    assert check_fires({"U": 2}, {"U": 2}, {"U": 1})
    assert check_fires({}, {"U": 1}, {})
    assert not check_all_clears([COPY, CLEAR], ["c1"])
    assert check_all_clears([COPY], ["c1"])
    assert check_all_clears([COPY, CLEAR, replace(CLEAR, notice_id="n8", contact_id="C-other")], ["c1"])

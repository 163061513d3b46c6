"""Each account of the chaos run is shown a history that breaks it, and one that does not."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from services.kernel.ids import finding_id
from tests.checker import Account
from tests.checker.book import Kept, Lost, Matched, Spoken, Words, check_kept, find_lost, match
from tests.checker.copies import Hearing, Outage, check_copies
from tests.checker.outbreaks import (
    FireCase,
    Note,
    Outbreak,
    Told,
    check_cases,
    check_clears,
    check_findings_of,
    check_fires_told,
    name_waiting,
    outbreaks,
    pair_cases,
)
from tests.checker.silence import (
    Offline,
    Premises,
    check_connections,
    check_losses,
    check_offline,
    check_rates,
    rates_of,
)

NOTHING_LOST = Lost([], [])


def said(number: int, kind: str = "heartbeat", at: float | None = None, **more: object) -> Spoken:
    words = Words("G1", "alarm" if kind in ("fire", "restore") else "up", kind, number, float(number))
    words = replace(words, **{name: value for name, value in more.items() if name in Words.__slots__})  # type: ignore[arg-type]
    sent_at = float(number) if at is None else at
    own = {name: value for name, value in more.items() if name in ("skipped", "boots")}
    return Spoken(number, "U1", words, sent_at, sent_at=sent_at, acked_at=sent_at + 0.1, **own)  # type: ignore[arg-type]


def kept(one: Spoken, name: str = "", at: float | None = None) -> Kept:
    received_at = (one.sent_at or 0.0) + 0.05 if at is None else at
    return Kept(name or f"s{one.number}", one.unit, one.words, received_at, (0, one.number))


def broken(accounts: Sequence[Account]) -> list[str]:
    return [account.rule for account in accounts if account.is_broken]


# --- the book and Kafka


def kept_accounts(book: Sequence[Spoken], stored: Sequence[Kept], kills: Sequence[float] = ()) -> list[str]:
    matched = match(book, stored)
    return broken(check_kept(book, matched, find_lost(book, matched, kills), []))


def test_everything_is_kept_and_copies_are_allowed() -> None:
    book = [said(number) for number in range(5)]
    assert kept_accounts(book, [*map(kept, book), kept(book[2], "again", 9.0)]) == []


def test_what_was_acknowledged_and_is_missing_is_lost() -> None:
    book = [said(number) for number in range(5)]
    (rule,) = kept_accounts(book, [kept(one) for one in book if one.number != 3])
    assert "stand in Kafka as published" in rule


def test_what_the_broker_held_when_it_was_killed_is_named_apart_and_what_came_later_is_not() -> None:
    book = [said(number) for number in range(2000)]
    stored = [kept(one) for one in book if not 995 <= one.number <= 1001]
    matched = match(book, stored)
    lost = find_lost(book, matched, [1000.0])
    assert [one.number for one in lost.with_broker] == [995, 996, 997, 998, 999, 1000]
    assert [one.number for one in lost.by_us] == [1001], "the broker was back, and nobody had subscribed"


def test_no_kill_of_the_broker_excuses_what_lies_far_behind_stored_messages() -> None:
    book = [said(number) for number in range(2000)]
    matched = match(book, [kept(one) for one in book if one.number != 1000])
    assert [one.number for one in find_lost(book, matched, [1800.0]).by_us] == [1000]


def test_altered_refused_reordered_and_unacknowledged() -> None:
    book = [said(number) for number in range(4)]
    altered = replace(kept(book[1]), words=replace(book[1].words, text="other"))
    assert len(kept_accounts(book, [kept(book[0]), altered, kept(book[2]), kept(book[3])])) == 2
    foreign = replace(kept(book[1]), unit="U2")
    assert len(kept_accounts(book, [kept(book[0]), foreign, kept(book[2]), kept(book[3])])) == 2
    swapped = [kept(book[0]), replace(kept(book[1]), place=(0, 9)), kept(book[2]), kept(book[3])]
    assert kept_accounts(book, swapped) == ["first copies that stand out of their device's order"]
    book[3].acked_at = None
    assert kept_accounts(book, list(map(kept, book))) == ["messages that the broker never acknowledged"]
    assert broken(check_kept(book, Matched(), NOTHING_LOST, ["G1 not_json"]))[0] == "good messages that were refused"


def test_the_same_words_after_a_boot_are_a_message_of_their_own() -> None:
    first = said(1, "fire", at=10.0, boots=True, seq=1, occurred_at=5.0)
    second = said(2, "fire", at=100.0, boots=True, seq=1, occurred_at=5.0)
    matched = match([first, second], [kept(first, "a", 10.1), kept(first, "a2", 12.0), kept(second, "b", 100.1)])
    assert matched.ids(first) == ["a", "a2"]
    assert matched.ids(second) == ["b"]
    assert kept_accounts([first, second], [kept(first, "a", 10.1)]) != []


def test_of_the_same_words_a_lost_one_does_not_shift_the_others() -> None:
    boots = [said(n, "fire", at=100.0 * n, boots=True, seq=1, occurred_at=5.0) for n in (1, 2, 3, 4)]
    matched = match(boots, [kept(boots[1]), kept(boots[2], at=450.0), kept(boots[3], at=450.1)])
    assert [one.number in matched.copies for one in boots] == [False, True, True, True]


def test_what_a_device_sends_once_more_much_later_is_not_out_of_order() -> None:
    book = [said(number) for number in range(4)]
    swapped = [kept(book[0]), replace(kept(book[1]), place=(0, 9)), kept(book[2]), kept(book[3])]
    book[1].again = True
    assert kept_accounts(book, swapped) == []


# --- fires

FIRE = said(1, "fire", point="r-1")
FURTHER = said(2, "fire", point="r-2")
END = said(3, "restore", restores="fire")
BOOK = [FIRE, FURTHER, END]
STORED = match(BOOK, map(kept, BOOK))
CASE = FireCase("C1", "U1", finding_id("U1", "fire", "s1"), False, 2, 1.2)
ROOMS = {"U1": "C-U1-control"}


def note(name: str, contact: str, channel: str, purpose: str, *heard: float) -> Note:
    return Note(name, "C1", "F0", purpose, contact, channel, "accepted", heard)


NOTES = [
    note("w1", "C-centre", "webhook", "notice", 1.5), note("w2", "C-centre", "webhook", "notice", 2.5),
    note("m1", "C-centre", "email", "notice", 1.5), note("m2", "C-centre", "email", "notice", 2.5),
    note("r1", "C-U1-control", "email", "notice", 1.5),
    note("w3", "C-centre", "webhook", "all_clear", 3.5), note("m3", "C-centre", "email", "all_clear", 3.5),
    note("r3", "C-U1-control", "email", "all_clear", 3.5),
]  # fmt: skip


def fire_accounts(cases: Sequence[FireCase], notes: Sequence[Note], book: Sequence[Spoken] = BOOK) -> list[str]:
    paired = pair_cases(outbreaks(book, "fire"), STORED, cases, finding_id)
    by_case = {case.case_id: [one for one in notes if one.case_id == case.case_id] for case in cases}
    return broken([*check_cases(paired), *check_fires_told(paired, by_case, ROOMS), *check_clears(paired, by_case)])


def test_outbreaks_are_read_from_the_book() -> None:
    (one,) = outbreaks(BOOK, "fire")
    assert (one.begins, one.end) == ([FIRE, FURTHER], END)
    again = [FIRE, said(2, "fire", point="r-1"), said(3, "restore", restores="fire", point="r-1"), said(4, "fire")]
    first, second = outbreaks(again, "fire")
    assert (len(first.begins), first.end, second.end) == (1, again[2], None)
    assert outbreaks([said(1, "fault", point="f"), said(2, "restore", restores="all")], "fault")[0].end is not None


def test_a_fire_told_to_everybody_and_cleared() -> None:
    assert fire_accounts([CASE], NOTES) == []


def test_a_first_notice_that_says_it_is_over_needs_no_all_clear() -> None:
    over = [replace(one, says_over=True) for one in NOTES if one.purpose == "notice"]
    assert fire_accounts([CASE], over) == []


@pytest.mark.parametrize(
    ("cases", "notes", "rule"),
    [
        ([], [], "fires without a case"),
        ([CASE, replace(CASE, case_id="C2")], NOTES, "fires with more than one case"),
        ([CASE, replace(CASE, case_id="C2", finding_id="?")], NOTES, "phantom cases of fire"),
        ([replace(CASE, alarms=1)], NOTES, "count other components"),
        ([replace(CASE, is_open=True)], NOTES, "are open though it is over"),
        ([CASE], [], "told to nobody"),
        ([CASE], [replace(one, heard=()) for one in NOTES], "told to nobody"),
        ([CASE], NOTES[1:], "did not hear"),
        ([CASE], [one for one in NOTES if one.contact == "C-centre"], "did not hear"),
        ([CASE], [*NOTES, note("w9", "C-centre", "webhook", "notice", 1.5)], "under two ids"),
        ([CASE], [*NOTES[:5], replace(NOTES[5], heard=(2.9,)), *NOTES[6:]], "while it burns"),
        ([CASE], NOTES[:7], "never heard that it is over"),
        ([CASE], [*NOTES, note("x", "C-other", "email", "all_clear", 3.6)], "had not been told"),
        ([CASE], [replace(NOTES[0], heard=(9.0,)), *NOTES[1:]], "after its all-clear"),
    ],
)
def test_every_break_of_a_fire_is_found(cases: list[FireCase], notes: list[Note], rule: str) -> None:
    assert any(rule in one for one in fire_accounts(cases, notes))


@pytest.mark.parametrize("alarms", [1, 2])
def test_a_further_component_never_goes_untold(alarms: int) -> None:
    notes = [one for one in NOTES if one.notice_id not in ("w2", "m2")]
    assert any("component" in one for one in fire_accounts([replace(CASE, alarms=alarms)], notes))


def test_a_fire_that_waits_for_the_database_is_named() -> None:
    paired = pair_cases(outbreaks(BOOK, "fire"), STORED, [CASE], finding_id)
    heard_at = {at: {"C1": [replace(NOTES[0], heard=(at,))]} for at in (2.0, 30.0)}
    assert list(name_waiting(paired, STORED, heard_at[2.0], [(0.5, 20.0)]).found) == []
    late = name_waiting(paired, STORED, heard_at[30.0], [(0.5, 20.0)])
    assert (len(late.found), late.checked, late.is_broken) == (1, 1, False)
    assert name_waiting(paired, STORED, heard_at[30.0], [(0.5, 3.0), (20.0, 40.0)]).checked == 0


def test_an_all_clear_of_a_fire_that_burns_on_is_early() -> None:
    assert "all-clears while it burns" in fire_accounts([CASE], NOTES, BOOK[:2])


# --- copies

CALM: list[Outage] = []


def test_one_more_copy_only_for_a_reason() -> None:
    once = [Hearing(one.notice_id, one.channel, one.heard[0], True) for one in NOTES]
    more = Hearing("w1", "webhook", 9.0, True)
    assert broken(check_copies(NOTES, once, CALM)) == []
    assert broken(check_copies(NOTES, [*once, more], CALM)) == [
        "notices that a receiver took more than once for no reason"
    ]
    cut = [replace(once[0], answered=False), *once[1:], more]
    assert broken(check_copies(NOTES, cut, CALM)) == []
    for part, holds in [("alerts", True), ("PostgreSQL", True), ("centre", True), ("Mailbox", False), ("rules", False)]:
        found = broken(check_copies(NOTES, [*once, more], [Outage(part, 2.0, 8.0)]))
        assert (found == []) is holds, part
    third = replace(more, at=9.5)
    assert broken(check_copies(NOTES, [*once, more, third], [Outage("alerts", 2.0, 9.0)])) != []
    late = [Outage("alerts", 100.0, 101.0)]
    assert broken(check_copies(NOTES, [*once, more], late)) != []


def test_unheard_dead_and_waiting_notices() -> None:
    heard = [Hearing(one.notice_id, one.channel, 1.0, True) for one in NOTES]
    assert "nobody took" in broken(check_copies(NOTES, heard[1:], CALM))[0]
    assert "given up" in broken(check_copies([replace(NOTES[0], state="dead")], heard[:1], CALM))[0]
    assert "wait at the end" in broken(check_copies([replace(NOTES[0], state="pending")], heard[:1], CALM))[0]


# --- findings

FOUND = finding_id("U1", "fire", "s1")


def told(phase: str, name: str = FOUND, event: str = "") -> Told:
    return Told(event or f"{name}/{phase}", name, "U1", "fire", phase, 1.0, 1.0)


@pytest.mark.parametrize(
    ("findings", "rule"),
    [
        ([told("ended")], "without a finding"),
        ([told("began"), told("began", event="x"), told("ended")], "two findings"),
        ([told("began"), told("ended"), told("began", "other")], "without a cause"),
        ([told("began")], "do not end"),
    ],
)
def test_findings_and_outbreaks(findings: list[Told], rule: str) -> None:
    wanted = outbreaks(BOOK, "fire")
    good = [told("began"), told("began"), told("ended")]
    assert broken(check_findings_of("fire", wanted, STORED, good, finding_id)) == []
    assert rule in broken(check_findings_of("fire", wanted, STORED, findings, finding_id))[0]
    assert isinstance(wanted[0], Outbreak)


# --- units


def test_offline_only_where_a_gateway_was_silent() -> None:
    book = [said(number) for number in (1, 2, 3, 30, 31)]
    matched = match(book, map(kept, book))
    assert broken(check_offline([Offline("U1", 3.0, 15.0)], book, matched, {"U1": ["G1"]})) == []
    assert broken(check_offline([Offline("U1", 1.0, 13.0)], book, matched, {"U1": ["G1"]})) != []
    assert broken(check_offline([Offline("U1", 1.0, 13.0)], book, matched, {"U1": ["G1", "G2"]})) == []


def loss_accounts(shown: dict[str, int], kills: Sequence[float] = (), lost: Lost = NOTHING_LOST) -> list[str]:
    book = [said(number, skipped=2 if number == 70 else 0) for number in range(140)]
    return broken(check_losses(book, match(book, map(kept, book)), lost, shown, kills))


def test_losses_are_exactly_what_was_left_out() -> None:
    assert loss_accounts({"G1": 2}) == []
    assert loss_accounts({"G1": 3}) == ["devices with losses that were none"]
    assert loss_accounts({"G1": 2, "G9": 1}) == ["devices with losses that were none"]
    assert loss_accounts({}) == ["devices whose left-out numbers were not all seen"]
    assert loss_accounts({}, [72.0]) == [], "ingest died while it waited for the number"
    assert loss_accounts({"G1": 1}, [72.0]) == []
    assert loss_accounts({"G1": 3}, (), Lost([said(120)], [])) == []


def test_rates_and_connections() -> None:
    units = [
        Premises("U1", True, True, True, False, True, False, {"district": "d"}),
        Premises("U2", False, True, False, False, True, True, {"district": "d"}),
        Premises("U3", True, False, False, True, True, False, {"district": "d"}),
    ]
    rates = rates_of(units, {"U1": "online", "U2": "offline", "U3": "late"})
    assert rates == {
        ("S1", "district", "d"): (1, 1),
        ("S2", "district", "d"): (1, 0),
        ("S3", "district", "d"): (2, 2),
        ("KEY", "district", "d"): (2, 2),
    }
    assert broken(check_rates(rates, rates)) == []
    assert broken(check_rates(rates, {**rates, ("KEY", "district", "d"): (2, 1)})) != []
    assert broken(check_rates(rates, {**rates, ("KEY", "town", "t"): (0, 0)})) == []
    assert broken(check_connections({"U1": "online"}, {"U1": "online"})) == []
    assert broken(check_connections({"U1": "online"}, {"U1": "offline"})) != []


def test_an_account_tells_its_first_examples_and_how_many_more() -> None:
    lines = Account("rule", 9, ["a", "b", "c"]).lines(2)
    assert lines[0].startswith("WRONG")
    assert [line.strip() for line in lines[1:]] == ["a", "b", "and 1 more"]
    assert Account("rule", 9, ["a"], counts=False).lines(2)[0].startswith("-")
    assert Account("rule", 9, []).lines(2) == ["ok          0 of       9  rule"]

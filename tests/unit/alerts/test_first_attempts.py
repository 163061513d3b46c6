"""A fire's notices leave with the commit that writes them; what may not or cannot leave then, does not."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import pytest

from services.alerts.domain.case.event import Happening
from services.alerts.domain.case.kinds import CaseKind
from services.alerts.domain.case.reply import Reply
from services.alerts.domain.case.who import Who
from services.alerts.domain.delivery.attempts import ALL_CLEAR, FIRE, FIRST, ORDINARY, Outcome, policy_of
from services.alerts.domain.delivery.reasons import Reason
from services.alerts.domain.errors import StoreUnavailable
from services.alerts.ports import Ready
from services.kernel.words import Channel, Purpose, Recipient
from tests.fakes.alerts_store import MemoryTransaction, ProviderMessage, states
from tests.unit.alerts.build import at, event, step
from tests.unit.alerts.harness import Harness

BURNS = event(Happening.FIRED, kind=CaseKind.FIRE, point="1")
OVER = event(Happening.RESTORED, kind=CaseKind.FIRE, cause="r1", point="1", seconds=5)


async def test_fire_is_told_without_a_postmans_turn() -> None:
    harness = Harness()
    await harness.take(BURNS, topic="alarms")
    await harness.finished()
    assert sorted(harness.recipients("F0")) == ["centre", "room-U1"]
    assert states(harness.store) == {"F0": ["accepted", "accepted"]}
    await harness.deliver()
    assert len(harness.carrier.sent) == 2


async def test_notice_is_leased_before_it_is_sent() -> None:
    harness = Harness()
    seen: list[str] = []
    harness.carrier.watch = lambda notice: seen.append(harness.store.tables.notices[notice.notice_id].state)
    await harness.take(BURNS, topic="alarms")
    await harness.finished()
    assert seen == ["sending", "sending"]


async def test_killed_between_commit_and_send_is_sent_when_the_lease_ends() -> None:
    harness = Harness()
    await harness.take(BURNS, topic="alarms")
    harness.kill()
    await harness.deliver()
    assert not harness.carrier.sent, "it may be on its way in the process that was killed"
    await harness.pass_time(61, every=61)
    assert sorted(harness.recipients("F0")) == ["centre", "room-U1"]


async def test_stopped_while_a_receiver_is_slow_what_it_took_is_written_down_and_sent_to_nobody_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    harness = Harness()
    answer = asyncio.Event()
    send = harness.carrier.send

    async def slow(notice: Ready) -> Outcome:
        outcome = await send(notice)
        await answer.wait()
        return outcome

    monkeypatch.setattr(harness.carrier, "send", slow)
    await harness.take(BURNS, topic="alarms")
    cut = asyncio.create_task(harness.finished())  # as the tasks of a process are, when their time to end is over
    await asyncio.sleep(0)
    cut.cancel()
    with pytest.raises(asyncio.CancelledError):
        await cut
    answer.set()
    await harness.finished()
    assert states(harness.store) == {"F0": ["accepted", "accepted"]}
    harness.restart()
    await harness.pass_time(180, every=61)
    assert len(harness.recipients("F0")) == 2


async def test_failed_commit_sends_nothing_and_gives_the_room_back(monkeypatch: pytest.MonkeyPatch) -> None:
    harness = Harness(slots=2)
    sound = harness.store.transaction

    @asynccontextmanager
    async def breaking() -> AsyncIterator[MemoryTransaction]:
        yield MemoryTransaction(harness.store.tables.copied())
        raise StoreUnavailable("gone at commit")

    monkeypatch.setattr(harness.store, "transaction", breaking)
    with pytest.raises(StoreUnavailable):
        await harness.take(BURNS, topic="alarms")
    await harness.finished()
    assert not harness.carrier.sent
    monkeypatch.setattr(harness.store, "transaction", sound)
    await harness.take(BURNS, topic="alarms")
    await harness.finished()
    assert sorted(harness.recipients("F0")) == ["centre", "room-U1"]


async def test_fire_that_is_over_in_the_same_batch_is_told_with_its_end() -> None:
    harness = Harness()
    await harness.take(BURNS, OVER, topic="alarms")
    await harness.work()
    assert [ready.subject for _, ready in harness.carrier.sent] == ["F0 U1 over", "F0 U1 over"]
    assert states(harness.store) == {"F0": ["accepted", "accepted"]}, (
        "no all-clear for whom the first notice told the end"
    )


async def test_fire_that_is_over_before_anybody_was_reached_is_told_with_its_end() -> None:
    harness = Harness(slots=0)
    await harness.take(BURNS, topic="alarms")
    await harness.take(event(Happening.FIRED, kind=CaseKind.FIRE, cause="d2", point="2", seconds=1), topic="alarms")
    await harness.take(replace(OVER, component=None), topic="alarms")
    assert states(harness.store) == {"F0": ["pending", "pending"], "F0.p2": ["pending"]}
    harness.slots(100)
    await harness.work()
    assert sorted(ready.subject for _, ready in harness.carrier.sent) == ["F0 U1 over", "F0 U1 over", "F0.p2 U1 over"]


@pytest.mark.parametrize("reason", [Reason.SERVER_ERROR, Reason.THROTTLED, Reason.TIMEOUT, Reason.CONNECT])
async def test_first_attempt_that_failed_goes_on_after_the_end(reason: Reason) -> None:
    harness = Harness()
    harness.carrier.answers = [Outcome(reason), Outcome(reason)]
    await harness.take(BURNS, topic="alarms")
    await harness.finished()
    await harness.take(OVER, topic="alarms")
    await harness.pass_time(3, every=1)
    recipients = [ready.subject for _, ready in harness.carrier.sent if ready.subject.startswith("F0")]
    assert recipients == ["F0 U1", "F0 U1", "F0 U1 over", "F0 U1 over"]
    assert len(harness.recipients("CLEAR")) == 2, "they may have got the first attempt all the same"
    assert set(states(harness.store)["F0"]) == {"accepted"}


async def test_no_acknowledgement_silences_the_first_notice_of_a_fire() -> None:
    harness = Harness()
    harness.carrier.answers = [Outcome(Reason.SERVER_ERROR), Outcome(Reason.SERVER_ERROR)]
    await harness.take(BURNS, topic="alarms")
    await harness.finished()
    (case_id,) = harness.store.tables.cases
    harness.clock.forward(0.1)
    await harness.acknowledgements.acknowledge(case_id, Who("officer", None, "console"), "seen")
    await harness.pass_time(3, every=1)
    assert set(states(harness.store)["F0"]) == {"accepted"}


async def test_receiver_that_is_away_for_hours_is_told_of_the_fire() -> None:
    harness = Harness()
    await harness.take(BURNS, topic="alarms")
    await harness.finished()
    harness.store.tables.notices = {  # as if all attempts of six hours had failed
        key: replace(row, state="pending", attempts=800, next_attempt_at=harness.clock.now())
        for key, row in harness.store.tables.notices.items()
    }
    harness.carrier.sent.clear()
    harness.carrier.answers = [Outcome(Reason.CONNECT), Outcome(Reason.CONNECT)]
    await harness.deliver()
    await harness.take(OVER, topic="alarms")
    harness.carrier.answers = [Outcome(Reason.CONNECT), Outcome(Reason.CONNECT)]
    await harness.pass_time(120, every=40)
    assert set(states(harness.store)["F0"]) == {"accepted"}


async def test_address_that_is_gone_is_given_up_and_counted() -> None:
    harness = Harness()
    harness.carrier.answers = [Outcome(Reason.GONE)]
    await harness.take(BURNS, topic="alarms")
    await harness.finished()
    assert sorted(states(harness.store)["F0"]) == ["accepted", "dead"]
    assert harness.metrics.first_dead.labels(Channel.EMAIL, Reason.GONE)._value.get() == 1


def test_first_notice_is_tried_for_a_day_after_its_fire() -> None:
    day = timedelta(hours=24)
    for over_since, most in ((None, FIRST), (at(0), FIRST), (at(0) - day, FIRE)):
        assert policy_of(Purpose.NOTICE, fire=True, first=True, over_since=over_since, now=at(1)) is most


def test_all_clear_is_tried_for_a_day() -> None:
    for over_since, most in ((at(0), ALL_CLEAR), (at(0) - timedelta(hours=24), ORDINARY)):
        assert policy_of(Purpose.ALL_CLEAR, fire=False, first=False, over_since=over_since, now=at(1)) is most


async def test_centre_and_control_room_are_told_whatever_the_ladder_says() -> None:
    ladder = (step("F0", 1, Recipient.BRIGADE, board_only=True), step("F1", 2, Recipient.STREET))
    harness = Harness(ladders={CaseKind.FIRE: ladder})
    await harness.take(BURNS, OVER, topic="alarms")
    await harness.work()
    assert sorted(harness.recipients("F0")) == ["brigade", "centre", "room-U1"]


@pytest.mark.parametrize("kind", [CaseKind.UNREADABLE_ALARM, CaseKind.UNREGISTERED_ALARM])
async def test_alarm_that_only_a_person_can_look_into_rings_at_once_and_ends_with_the_acknowledgement(
    kind: CaseKind,
) -> None:
    harness = Harness(ladders={})
    first = event(kind=kind, cause="s1", seconds=0)
    harness.carrier.answers = [Outcome(Reason.SERVER_ERROR)]
    await harness.take(first, topic="alarms")
    await harness.take(event(kind=kind, cause="s2", seconds=1), topic="alarms")
    await harness.finished()
    assert harness.recipients("U0") == ["centre"]
    (case,) = harness.store.tables.cases.values()
    assert (case.is_open, case.sightings.count) == (True, 2)
    assert (
        await harness.acknowledgements.acknowledge(case.case_id, Who("officer", None, "console"), "called them")
        is Reply.DONE
    )
    await harness.take(replace(event(kind=kind, cause="s2", seconds=1), event_id="/rules#s2"), topic="findings")
    await harness.pass_time(3, every=1)
    (case,) = harness.store.tables.cases.values()
    assert (case.is_open, case.close_reason) == (False, "acknowledged")
    assert states(harness.store) == {"U0": ["accepted"]}
    await harness.take(event(kind=kind, cause="s3", seconds=60), topic="alarms")
    assert [one.is_open for one in harness.store.tables.cases.values()] == [False, True]


async def test_who_was_told_that_way_hears_that_it_is_over() -> None:
    harness = Harness()
    await harness.take(BURNS, topic="alarms")
    await harness.take(OVER, topic="alarms")
    await harness.work()
    assert sorted(harness.recipients("CLEAR")) == ["centre", "room-U1"]


async def test_what_finds_no_room_waits_for_its_turn() -> None:
    harness = Harness(slots=1)
    await harness.take(BURNS, topic="alarms")
    assert sorted(*states(harness.store).values()) == ["pending", "sending"]
    await harness.finished()
    assert len(harness.carrier.sent) == 1
    await harness.deliver()
    assert sorted(harness.recipients("F0")) == ["centre", "room-U1"]


async def test_failed_first_attempt_is_tried_again() -> None:
    harness = Harness()
    harness.carrier.answers = [Outcome(Reason.TIMEOUT)]
    await harness.take(BURNS, topic="alarms")
    await harness.finished()
    assert sorted(*states(harness.store).values()) == ["accepted", "pending"]
    await harness.pass_time(1, every=1)
    assert sorted(harness.recipients("F0")) == ["centre", "centre", "room-U1"]


async def test_record_read_twice_sends_nothing_twice() -> None:
    harness = Harness()
    await harness.take(BURNS, topic="alarms")
    await harness.take(BURNS, topic="alarms")
    await harness.finished()
    assert sorted(harness.recipients("F0")) == ["centre", "room-U1"]


async def test_a_copy_after_a_failure_that_was_reported_later_is_no_slow_notice_of_a_fire() -> None:
    harness = Harness()
    await harness.take(BURNS, topic="alarms")
    await harness.finished()
    count = "firenet_alerts_fire_latency_seconds_count"
    assert harness.registry.get_sample_value(count) == 2
    for message_id, (notice_id, row) in enumerate(harness.store.tables.notices.items()):
        harness.store.tables.messages[Channel.SMS, str(message_id)] = ProviderMessage(notice_id, at(0), None)
        row.state, row.next_attempt_at = "pending", at(90)
    harness.clock.forward(90)
    await harness.deliver()
    assert len(harness.carrier.sent) == 4
    assert harness.registry.get_sample_value(count) == 2

"""A fire's notices leave with the commit that writes them; what may not or cannot leave then, does not."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import pytest

from services.alerts.domain.case.event import Happening
from services.alerts.domain.case.kinds import CaseKind
from services.alerts.domain.delivery.attempts import ALL_CLEAR, FIRE, FIRST, ORDINARY, Outcome, policy_of
from services.alerts.domain.delivery.notice import Purpose
from services.alerts.domain.delivery.reasons import Reason
from services.alerts.domain.errors import StoreUnavailable
from services.alerts.domain.routing.contacts import Channel
from services.alerts.worker.acknowledgement import Reply, Who
from services.kernel.words import Recipient
from tests.fakes.alerts_store import MemoryTransaction, states
from tests.unit.alerts.build import at, event, step
from tests.unit.alerts.rig import Rig

BURNS = event(Happening.FIRED, kind=CaseKind.FIRE, point="1")
OVER = event(Happening.RESTORED, kind=CaseKind.FIRE, cause="r1", point="1", seconds=5)


async def test_fire_is_told_without_a_postmans_turn() -> None:
    rig = Rig()
    await rig.take(BURNS, topic="alarms")
    await rig.finished()
    assert sorted(rig.told("F0")) == ["centre", "room-U1"]
    assert states(rig.store) == {"F0": ["accepted", "accepted"]}
    await rig.deliver()
    assert len(rig.carrier.sent) == 2


async def test_notice_is_leased_before_it_is_sent() -> None:
    rig = Rig()
    seen: list[str] = []
    rig.carrier.watch = lambda notice: seen.append(rig.store.tables.notices[notice.notice_id].state)
    await rig.take(BURNS, topic="alarms")
    await rig.finished()
    assert seen == ["sending", "sending"]


async def test_killed_between_commit_and_send_is_sent_when_the_lease_ends() -> None:
    rig = Rig()
    await rig.take(BURNS, topic="alarms")
    rig.kill()
    await rig.deliver()
    assert not rig.carrier.sent, "it may be on its way in the process that was killed"
    await rig.pass_time(61, every=61)
    assert sorted(rig.told("F0")) == ["centre", "room-U1"]


async def test_failed_commit_sends_nothing_and_gives_the_room_back(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig(slots=2)
    sound = rig.store.transaction

    @asynccontextmanager
    async def breaking() -> AsyncIterator[MemoryTransaction]:
        yield MemoryTransaction(rig.store.tables.copied())
        raise StoreUnavailable("gone at commit")

    monkeypatch.setattr(rig.store, "transaction", breaking)
    with pytest.raises(StoreUnavailable):
        await rig.take(BURNS, topic="alarms")
    await rig.finished()
    assert not rig.carrier.sent
    monkeypatch.setattr(rig.store, "transaction", sound)
    await rig.take(BURNS, topic="alarms")
    await rig.finished()
    assert sorted(rig.told("F0")) == ["centre", "room-U1"]


async def test_fire_that_is_over_in_the_same_batch_is_told_with_its_end() -> None:
    rig = Rig()
    await rig.take(BURNS, OVER, topic="alarms")
    await rig.work()
    assert [ready.subject for _, ready in rig.carrier.sent] == ["F0 U1 over", "F0 U1 over"]
    assert states(rig.store) == {"F0": ["accepted", "accepted"]}, "no all-clear for whom the first notice told the end"


async def test_fire_that_is_over_before_anybody_was_reached_is_told_with_its_end() -> None:
    rig = Rig(slots=0)
    await rig.take(BURNS, topic="alarms")
    await rig.take(event(Happening.FIRED, kind=CaseKind.FIRE, cause="d2", point="2", seconds=1), topic="alarms")
    await rig.take(replace(OVER, place=None), topic="alarms")
    assert states(rig.store) == {"F0": ["pending", "pending"], "F0.p2": ["pending"]}
    rig.slots(100)
    await rig.work()
    assert sorted(ready.subject for _, ready in rig.carrier.sent) == ["F0 U1 over", "F0 U1 over", "F0.p2 U1 over"]


@pytest.mark.parametrize("reason", [Reason.SERVER_ERROR, Reason.THROTTLED, Reason.TIMEOUT, Reason.CONNECT])
async def test_first_attempt_that_failed_goes_on_after_the_end(reason: Reason) -> None:
    rig = Rig()
    rig.carrier.answers = [Outcome(reason), Outcome(reason)]
    await rig.take(BURNS, topic="alarms")
    await rig.finished()
    await rig.take(OVER, topic="alarms")
    await rig.pass_time(3, every=1)
    told = [ready.subject for _, ready in rig.carrier.sent if ready.subject.startswith("F0")]
    assert told == ["F0 U1", "F0 U1", "F0 U1 over", "F0 U1 over"]
    assert len(rig.told("CLEAR")) == 2, "they may have got the first attempt all the same"
    assert set(states(rig.store)["F0"]) == {"accepted"}


async def test_no_acknowledgement_silences_the_first_notice_of_a_fire() -> None:
    rig = Rig()
    rig.carrier.answers = [Outcome(Reason.SERVER_ERROR), Outcome(Reason.SERVER_ERROR)]
    await rig.take(BURNS, topic="alarms")
    await rig.finished()
    (case_id,) = rig.store.tables.cases
    rig.clock.forward(0.1)
    await rig.acknowledgements.acknowledge(case_id, Who("officer", None, "console"), "seen")
    await rig.pass_time(3, every=1)
    assert set(states(rig.store)["F0"]) == {"accepted"}


async def test_receiver_that_is_away_for_hours_is_told_of_the_fire() -> None:
    rig = Rig()
    await rig.take(BURNS, topic="alarms")
    await rig.finished()
    rig.store.tables.notices = {  # as if all attempts of six hours had failed
        key: replace(row, state="pending", attempts=800, next_attempt_at=rig.clock.now())
        for key, row in rig.store.tables.notices.items()
    }
    rig.carrier.sent.clear()
    rig.carrier.answers = [Outcome(Reason.CONNECT), Outcome(Reason.CONNECT)]
    await rig.deliver()
    await rig.take(OVER, topic="alarms")
    rig.carrier.answers = [Outcome(Reason.CONNECT), Outcome(Reason.CONNECT)]
    await rig.pass_time(120, every=40)
    assert set(states(rig.store)["F0"]) == {"accepted"}


async def test_address_that_is_gone_is_given_up_and_counted() -> None:
    rig = Rig()
    rig.carrier.answers = [Outcome(Reason.GONE)]
    await rig.take(BURNS, topic="alarms")
    await rig.finished()
    assert sorted(states(rig.store)["F0"]) == ["accepted", "dead"]
    assert rig.metrics.first_dead.labels(Channel.EMAIL, Reason.GONE)._value.get() == 1


def test_first_notice_is_tried_for_a_day_after_its_fire() -> None:
    day = timedelta(hours=24)
    for over_since, most in ((None, FIRST), (at(0), FIRST), (at(0) - day, FIRE)):
        assert policy_of(Purpose.NOTICE, fire=True, first=True, over_since=over_since, now=at(1)) is most


def test_all_clear_is_tried_for_a_day() -> None:
    for over_since, most in ((at(0), ALL_CLEAR), (at(0) - timedelta(hours=24), ORDINARY)):
        assert policy_of(Purpose.ALL_CLEAR, fire=False, first=False, over_since=over_since, now=at(1)) is most


async def test_centre_and_control_room_are_told_whatever_the_ladder_says() -> None:
    ladder = (step("F0", 1, Recipient.BRIGADE, board_only=True), step("F1", 2, Recipient.STREET))
    rig = Rig(ladders={CaseKind.FIRE: ladder})
    await rig.take(BURNS, OVER, topic="alarms")
    await rig.work()
    assert sorted(rig.told("F0")) == ["brigade", "centre", "room-U1"]


@pytest.mark.parametrize("kind", [CaseKind.UNREADABLE_ALARM, CaseKind.UNREGISTERED_ALARM])
async def test_alarm_that_only_a_person_can_look_into_rings_at_once_and_ends_with_the_acknowledgement(
    kind: CaseKind,
) -> None:
    rig = Rig(ladders={})
    first = event(kind=kind, cause="s1", seconds=0)
    rig.carrier.answers = [Outcome(Reason.SERVER_ERROR)]
    await rig.take(first, topic="alarms")
    await rig.take(event(kind=kind, cause="s2", seconds=1), topic="alarms")
    await rig.finished()
    assert rig.told("U0") == ["centre"]
    (case,) = rig.store.tables.cases.values()
    assert (case.is_open, case.sightings) == (True, 2)
    assert (
        await rig.acknowledgements.acknowledge(case.case_id, Who("officer", None, "console"), "called them")
        is Reply.DONE
    )
    await rig.take(replace(event(kind=kind, cause="s2", seconds=1), event_id="/rules#s2"), topic="findings")
    await rig.pass_time(3, every=1)
    (case,) = rig.store.tables.cases.values()
    assert (case.is_open, case.close_reason) == (False, "acknowledged")
    assert states(rig.store) == {"U0": ["accepted"]}
    await rig.take(event(kind=kind, cause="s3", seconds=60), topic="alarms")
    assert [one.is_open for one in rig.store.tables.cases.values()] == [False, True]


async def test_who_was_told_that_way_hears_that_it_is_over() -> None:
    rig = Rig()
    await rig.take(BURNS, topic="alarms")
    await rig.take(OVER, topic="alarms")
    await rig.work()
    assert sorted(rig.told("CLEAR")) == ["centre", "room-U1"]


async def test_what_finds_no_room_waits_for_its_turn() -> None:
    rig = Rig(slots=1)
    await rig.take(BURNS, topic="alarms")
    assert sorted(*states(rig.store).values()) == ["pending", "sending"]
    await rig.finished()
    assert len(rig.carrier.sent) == 1
    await rig.deliver()
    assert sorted(rig.told("F0")) == ["centre", "room-U1"]


async def test_failed_first_attempt_is_tried_again() -> None:
    rig = Rig()
    rig.carrier.answers = [Outcome(Reason.TIMEOUT)]
    await rig.take(BURNS, topic="alarms")
    await rig.finished()
    assert sorted(*states(rig.store).values()) == ["accepted", "pending"]
    await rig.pass_time(1, every=1)
    assert sorted(rig.told("F0")) == ["centre", "centre", "room-U1"]


async def test_record_read_twice_sends_nothing_twice() -> None:
    rig = Rig()
    await rig.take(BURNS, topic="alarms")
    await rig.take(BURNS, topic="alarms")
    await rig.finished()
    assert sorted(rig.told("F0")) == ["centre", "room-U1"]

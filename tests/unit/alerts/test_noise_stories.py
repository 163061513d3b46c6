"""Random stories with digests, common causes and flapping at work: the promises hold, and no fire ever waits."""

import asyncio
from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.alerts.domain.case.kinds import CaseKind
from services.alerts.domain.delivery.consent import may_send_notice
from services.alerts.domain.delivery.reasons import Reason
from services.alerts.domain.escalation.ladder import following
from services.alerts.domain.escalation.pack_rules import FlappingRules, GroupingRules
from services.alerts.domain.ids import NoticeId
from services.alerts.ports import Ready
from services.kernel.words import Purpose, Recipient
from tests.fakes.alerts_store import Row
from tests.unit.alerts.build import RULES
from tests.unit.alerts.harness import Harness
from tests.unit.alerts.test_service import KINDS, Story

UNITS = ("U0", "U1", "U2", "U3", "U4")
NOISE = replace(
    RULES,
    grouping=GroupingRules(timedelta(seconds=10), timedelta(seconds=300), timedelta(hours=1), least=2, named=2),
    flapping=FlappingRules(3, timedelta(hours=1), timedelta(hours=2), (Recipient.CENTRE,), "proposal"),
    common_wait=timedelta(seconds=60),
)
MOVES = st.one_of(
    st.tuples(st.just("begin"), st.sampled_from(UNITS), st.sampled_from(KINDS)),
    st.tuples(st.just("end"), st.sampled_from(UNITS), st.sampled_from(KINDS)),
    st.tuples(st.just("storm"), st.sampled_from([CaseKind.CONNECTION_LOST, CaseKind.FAULT]), st.booleans()),
    st.tuples(st.just("wait"), st.sampled_from([1, 11, 61, 310, 4000, 30_000]), st.none()),
    st.tuples(st.just("ack"), st.integers(0, 9), st.none()),
    st.tuples(st.just("group"), st.sampled_from([31, 61]), st.none()),
    st.tuples(st.just("crash"), st.none(), st.none()),
    st.tuples(st.just("fail"), st.sampled_from([Reason.TIMEOUT, Reason.GONE]), st.none()),
)


class NoisyStory(Story):
    """As the other, with what keeps noise down, and what must hold for it."""

    def __init__(self) -> None:
        super().__init__()
        self.harness = Harness(*UNITS)
        self.harness.directory.pack = NOISE
        self.harness.carrier.watch = self.watch
        self.disturbed = False

    async def play(self, move: tuple[object, ...]) -> None:
        what, kind, begins = move
        self.disturbed = self.disturbed or what in ("crash", "fail")
        if what == "group":  # as far as the digest, which leaves later
            assert isinstance(kind, int)
            await self.harness.finished()
            for seconds in (kind, 11):
                self.harness.clock.forward(seconds)
                await self.harness.ladder.turn()
                await self.harness.grouping.turn()
            return
        if what == "storm":
            assert isinstance(kind, CaseKind)
            for name in UNITS:
                await self._say(name, kind, begin=bool(begins))
            self.check()
            return
        await super().play(move)
        if what == "begin":
            await self.harness.finished()
            self.fires_were_told_at_once()

    def fires_were_told_at_once(self) -> None:
        attempts: dict[NoticeId, datetime] = {}
        for at, ready in self.harness.carrier.sent:
            attempts.setdefault(ready.notice_id, at)
        for row in self.harness.store.tables.notices.values():
            if row.notice.first:
                first = attempts.get(row.notice.notice_id)
                # behind the acknowledgement of that very instant a notice is written a microsecond later
                assert first is not None, "a fire waits for nothing"
                assert first <= row.notice.created_at, "a fire is told in the instant in which it is taken in"
        told = {row.notice.case_id for row in self.harness.store.tables.notices.values() if row.notice.first}
        fires = {case.case_id for case in self.harness.store.tables.cases.values() if case.is_fire}
        assert fires <= told, "every fire has a first notice"

    def check(self) -> None:
        tables = self.harness.store.tables
        for case in tables.cases.values():
            waits = case.next_step_at or case.flapping.quiet_until or following(case) is None
            assert not case.is_open or waits, "an open case has a next step, or will be quiet, or has taken all"
            assert not (case.is_urgent and case.flapping.begins), "a fire never flaps"
            assert not (case.is_urgent and case.grouping.held_until), "nor is it held"
        copies = Counter(
            (row.notice.case_id, row.notice.step, row.notice.to, row.notice.purpose, _drop(row))
            for row in tables.notices.values()
        )
        assert not [key for key, count in copies.items() if count > 1], "no notice twice for a case, step and recipient"
        for row in tables.notices.values():
            assert not (row.notice.fire and (row.notice.groups or row.grouping)), (
                "no fire's notice may ever leave in a digest"
            )

    def watch(self, ready: Ready) -> None:
        rows = self.harness.store.tables.notices
        for notice_id in ready.members or (ready.notice_id,):
            row = rows[notice_id]
            case = self.harness.store.tables.cases[row.notice.case_id]
            if may_send_notice(row.notice, case, self.harness.clock.now()).stop is not None:
                self.broken.append(f"{row.notice.step} was sent although it may not be")
        if len(ready.members) > 1 and len(ready.body.splitlines()) > 3:
            self.broken.append("a digest that names more than it may")

    def all_is_accounted_for(self) -> None:
        tables = self.harness.store.tables
        sent = Counter(one for _, ready in self.harness.carrier.sent for one in ready.members or (ready.notice_id,))
        in_audit = {entry.detail.get("notice"): entry.detail for entry in tables.audit if "notice" in entry.detail}
        for notice_id, row in tables.notices.items():
            assert row.state in ("accepted", "dead", "cancelled"), "nothing waits for ever"
            if row.state == "accepted":
                assert sent[notice_id] >= 1
                assert in_audit[notice_id].get("digest") == row.digest_id, "its entry says in which digest it left"
            else:
                assert row.reason is not None, "what was not sent says why"
        told = {(row.notice.case_id, row.notice.step) for row in tables.notices.values()}
        for step in tables.steps.values():
            assert (step.case_id, step.step) in told or step.nobody, "a step that told nobody says why"
        if not self.disturbed:
            assert set(sent.values()) <= {1}, "each copy leaves once"


def _drop(row: Row) -> str:
    """An all-clear belongs to one drop of its case: its id says to which."""
    return row.notice.notice_id if row.notice.purpose is Purpose.ALL_CLEAR else ""


@pytest.mark.thorough
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(MOVES, min_size=1, max_size=30))
def test_promises_hold_in_every_noisy_story(moves: list[tuple[object, ...]]) -> None:
    async def run() -> None:
        story = NoisyStory()
        for move in moves:
            await story.play(move)
        for _ in range(20):
            story.harness.clock.forward(3 * 3600)
            await story.harness.work()
            story.check()
        assert not story.broken
        story.all_is_accounted_for()

    asyncio.run(run())

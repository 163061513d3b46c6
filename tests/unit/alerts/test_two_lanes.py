"""One fire, one case, whichever of the two lanes is late: alarms and findings of the same signals, in any order."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.alerts.domain.case.case import case_id_of
from services.alerts.domain.case.event import Event, Happening
from services.alerts.domain.case.kinds import CaseKind
from services.alerts.ports import Ready
from services.kernel.words import Purpose
from tests.fakes.alerts_store import states
from tests.unit.alerts.build import event
from tests.unit.alerts.harness import Harness

FIRE = CaseKind.FIRE
ALARMS, FINDINGS = "alarms", "findings"


@dataclass
class Signals:
    """What a unit sends, and what each lane makes of it.

    `fires` are the signals that began a fire, `components` what burned in each.
    """

    alarms: list[Event] = field(default_factory=list)
    findings: list[Event] = field(default_factory=list)
    fires: list[str] = field(default_factory=list)
    components: dict[str, list[str]] = field(default_factory=dict)
    burning: set[str] = field(default_factory=set)
    now: int = 0

    def fired(self, point: str) -> None:
        self.now += 10
        cause = f"s{self.now}"
        self.alarms.append(event(Happening.FIRED, kind=FIRE, cause=cause, point=point, seconds=self.now))
        if point in self.burning:
            return
        if not self.burning:
            self.fires.append(cause)
        self.components.setdefault(self.fires[-1], []).append(point)
        self._found(Happening.CHANGED if self.burning else Happening.BEGAN, point)
        self.burning.add(point)

    def restored(self, point: str | None) -> None:
        self.now += 10
        self.alarms.append(event(Happening.RESTORED, kind=FIRE, cause=f"s{self.now}", point=point, seconds=self.now))
        left = self.burning - {point} if point else set()
        if left != self.burning:
            self._found(Happening.CHANGED if left else Happening.ENDED, point)
        self.burning = left

    def _found(self, happening: Happening, point: str | None) -> None:
        self.findings.append(event(happening, kind=FIRE, cause=self.fires[-1], point=point, seconds=self.now))


def issue() -> Signals:
    """The story of the issue: two components, one end."""
    said = Signals()
    said.fired("1")
    said.fired("2")
    said.restored(None)
    return said


async def test_late_fire_lane_opens_no_second_case_and_tells_only_what_nobody_heard_of() -> None:
    harness, said = Harness(), issue()
    for finding in said.findings:
        await harness.take(finding, topic=FINDINGS)
        await harness.deliver()
    assert states(harness.store) == {"F0": ["accepted", "accepted"], "CLEAR": ["accepted", "accepted"]}
    sent = len(harness.carrier.sent)
    for alarm in said.alarms:
        await harness.take(alarm, topic=ALARMS)
        await harness.pass_time(60, every=20)
    (case,) = harness.store.tables.cases.values()
    assert (case.is_open, case.sightings.count, case.fire.alarms) == (False, 3, 2)
    ((_, further),) = harness.carrier.sent[sent:]
    assert further.notice is not None
    assert further.notice.about.component is not None
    assert (further.notice.step, further.notice.to.contact_id, further.notice.about.component.address) == (
        "F0.p2",
        "centre",
        "2",
    )
    assert further.subject.endswith("over"), "nobody is called for a fire that is over as if it burned"


async def test_late_fire_lane_tells_a_component_of_the_fire_before_the_last() -> None:
    harness, said = Harness(), issue()
    said.fired("1")
    said.restored(None)
    for finding in said.findings:
        await harness.take(finding, topic=FINDINGS)
        await harness.deliver()
    sent = len(harness.carrier.sent)
    await harness.take(*said.alarms, topic=ALARMS)
    await harness.deliver()
    first, _ = said.fires
    ((_, further),) = harness.carrier.sent[sent:]
    assert further.case_id == case_id_of(event(kind=FIRE, cause=first).finding_id)
    assert further.notice is not None
    assert further.notice.about.component is not None
    assert further.notice.about.component.address == "2"


async def test_component_by_a_slower_clock_is_told_with_the_fire_that_is_over() -> None:
    harness = Harness()
    await harness.take(event(Happening.BEGAN, kind=FIRE, cause="s1", point="1", seconds=5), topic=FINDINGS)
    await harness.take(event(Happening.ENDED, kind=FIRE, cause="s1", seconds=6), topic=FINDINGS)
    await harness.take(event(Happening.FIRED, kind=FIRE, cause="s2", point="2", seconds=4.9), topic=ALARMS)
    await harness.deliver()
    (case,) = harness.store.tables.cases.values()
    assert (case.is_open, case.fire.alarms, harness.recipients("F0.p2")) == (False, 2, ["centre"])


async def test_late_fire_lane_knows_the_next_fire() -> None:
    harness, said = Harness(), issue()
    for finding in said.findings:
        await harness.take(finding, topic=FINDINGS)
    said.fired("2")
    for alarm in said.alarms:
        await harness.take(alarm, topic=ALARMS)
    await harness.deliver()
    assert [case.is_open for case in harness.store.tables.cases.values()] == [False, True]
    assert sorted(harness.recipients("F0")) == ["centre", "centre", "room-U1", "room-U1"]


async def test_late_finding_under_another_first_signal_belongs_to_the_fire_that_is_over() -> None:
    harness = Harness()
    said = [  # the two topics have the first two signals in a different order
        event(Happening.FIRED, kind=FIRE, cause="s2", point="2", seconds=2),
        event(Happening.FIRED, kind=FIRE, cause="s1", point="1", seconds=1),
        event(Happening.RESTORED, kind=FIRE, cause="s3", seconds=3),
        event(Happening.FIRED, kind=FIRE, cause="s4", point="1", seconds=4),
    ]
    await harness.take(*said, topic=ALARMS)
    for happening, cause, seconds in (
        (Happening.BEGAN, "s1", 1),
        (Happening.CHANGED, "s1", 2),
        (Happening.ENDED, "s1", 3),
    ):
        await harness.take(event(happening, kind=FIRE, cause=cause, point="1", seconds=seconds), topic=FINDINGS)
    await harness.deliver()
    assert [case.is_open for case in harness.store.tables.cases.values()] == [False, True]
    assert not harness.recipients("CLEAR"), (
        "who first heard of a fire that was over heard that with it; the other burns"
    )


async def test_fire_by_the_slower_clock_of_a_second_gateway_is_no_late_one() -> None:
    harness = Harness()
    await harness.take(event(Happening.FIRED, kind=FIRE, cause="s1", point="1", seconds=1), topic=ALARMS)
    await harness.take(event(Happening.BEGAN, kind=FIRE, cause="s1", point="1", seconds=1), topic=FINDINGS)
    await harness.take(event(Happening.RESTORED, kind=FIRE, cause="s2", seconds=5), topic=ALARMS)
    await harness.take(event(Happening.ENDED, kind=FIRE, cause="s1", seconds=5), topic=FINDINGS)
    await harness.take(event(Happening.FIRED, kind=FIRE, cause="s3", point="1", seconds=4.9), topic=ALARMS)
    assert [case.is_open for case in harness.store.tables.cases.values()] == [False, True]


def components_told(harness: Harness) -> dict[str, list[str]]:
    """Return of each case the components that the centre was told of."""
    recipients: dict[str, list[str]] = {}
    for row in harness.store.tables.notices.values():
        if row.notice.to.contact_id == "centre" and row.notice.purpose is Purpose.NOTICE and row.notice.about.component:
            recipients.setdefault(row.notice.case_id, []).append(row.notice.about.component.address)
    return {case_id: sorted(components) for case_id, components in recipients.items()}


POINTS = st.sampled_from(["1", "2", "3"])
SAID = st.lists(st.tuples(st.booleans(), st.one_of(POINTS, st.none())), min_size=1, max_size=14)
STEPS = st.lists(st.sampled_from(["alarm", "finding", "deliver", "kill", "again"]), max_size=50)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(SAID, STEPS)
def test_any_order_of_the_lanes_makes_one_case_of_each_fire(
    said: Sequence[tuple[bool, str | None]], steps: Sequence[str]
) -> None:
    signals = Signals()
    for fires, point in said:
        if fires:
            signals.fired(point or "1")
        else:
            signals.restored(point)
    asyncio.run(_play(signals, [*steps, *["alarm"] * len(signals.alarms), *["finding"] * len(signals.findings)]))


async def _play(signals: Signals, steps: Sequence[str]) -> None:
    harness, broken = Harness(), []
    places = {ALARMS: 0, FINDINGS: 0}
    lanes = {"alarm": (ALARMS, signals.alarms), "finding": (FINDINGS, signals.findings)}
    burning_now = {case_id_of(event(kind=FIRE, cause=signals.fires[-1]).finding_id)} if signals.burning else set()

    def watch(ready: Ready) -> None:
        case = harness.store.tables.cases[ready.case_id]
        if ready.purpose is Purpose.ALL_CLEAR and (case.is_open or ready.case_id in burning_now):
            broken.append("an all-clear while it burns")
        if ready.purpose is Purpose.NOTICE and not case.is_open and not ready.subject.endswith("over"):
            broken.append("a fire that is over told as one that burns")

    harness.carrier.watch = watch
    for step in steps:
        await harness.finished()
        harness.clock.forward(1)
        if step == "deliver":
            await harness.deliver()
        elif step == "kill":
            harness.kill()
        elif step == "again":  # what was read before the crash of a consumer is read again
            places = {topic: max(0, component - 3) for topic, component in places.items()}
        else:
            topic, events = lanes[step]
            if places[topic] < len(events):
                await harness.take(events[places[topic]], topic=topic)
                places[topic] += 1
    for topic, events in lanes.values():
        await harness.take(*events, topic=topic)
    await harness.pass_time(200, every=50)
    cases = {case.case_id: case.is_open for case in harness.store.tables.cases.values()}
    assert cases == {
        case_id_of(event(kind=FIRE, cause=cause).finding_id): bool(signals.burning) and cause == signals.fires[-1]
        for cause in signals.fires
    }
    assert not broken
    assert {row.state for row in harness.store.tables.notices.values()} <= {"accepted"}, (
        "no notice of a fire is taken back"
    )
    assert harness.recipients("F0").count("centre") >= len(signals.fires)
    assert components_told(harness) == {
        case_id_of(event(kind=FIRE, cause=cause).finding_id): sorted(points)
        for cause, points in signals.components.items()
    }, "each component of each fire is told, each time once, and with its own fire"

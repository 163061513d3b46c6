"""What one of the two lanes brings after the other has ended the fire: it belongs to a fire that is over.

Every fire comes twice, as a signal by the fire lane and as a finding of rules, and either may lag behind by any time.
Each lane is in order by itself, so a word is compared with the ends that the *other* lane brought, and only as long as
its own has not come as far: what follows an end in the order of its own lane burns, whatever the clocks of two
instances of ingest say. All times here are those at which ingest received the signals.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from services.alerts.domain.case.case import Case
from services.alerts.domain.case.event import EVERY_COMPONENT, Component, Event, Happening
from services.alerts.domain.case.fire import FireState

MAX_ENDS = 64
"""Ends that a case remembers; of more the oldest are forgotten."""
WHOLE_UNIT = "*"


def is_belated(closed: Case, event: Event) -> bool:
    """Say whether this beginning of a fire was received before the end that closed `closed`."""
    if event.happening is Happening.FIRED:
        over, own = closed.fire.over_at, closed.fire.restored_at
        return over is not None and event.detected_at < over and (own is None or own < over)
    if event.finding_id == closed.finding_id:
        return True
    ended, own = _ended_at(closed.fire.ended, event.component), closed.fire.over_at
    return ended is not None and event.detected_at < ended and (own is None or own < ended)


def _ended_at(ended: Mapping[str, datetime], component: Component | None) -> datetime | None:
    """Return the newest end that covers `component`; of the unit as a whole the newest of all."""
    if component is None:
        return max(ended.values(), default=None)
    keys = (WHOLE_UNIT, f"{component.system_key}{EVERY_COMPONENT}", component.key)
    return max((ended[key] for key in keys if key in ended), default=None)


def with_end(case: Case, event: Event) -> Case:
    """Return the case that remembers this end; what an older one says stays as it is."""
    return replace(case, fire=_ended_by(case.fire, event))


def _ended_by(fire: FireState, event: Event) -> FireState:
    at = event.detected_at
    if event.happening is Happening.ENDED:
        return replace(fire, over_at=_newest(fire.over_at, at))
    key = WHOLE_UNIT if event.component is None else event.component.key
    reported = fire.reported - covered(event.component, fire.reported)
    ended = {**fire.ended, key: _newest(fire.ended.get(key), at)}
    if len(ended) > MAX_ENDS:
        del ended[min(ended, key=lambda one: ended[one])]
    return replace(fire, ended=ended, restored_at=_newest(fire.restored_at, at), reported=reported)


def covered(component: Component | None, components: frozenset[str]) -> frozenset[str]:
    """Return which of the components an end at `component` covers: itself, all of its system, or the whole unit."""
    if component is None:
        return components
    if component.address != EVERY_COMPONENT:
        return components & {component.key}
    return frozenset(key for key in components if key.startswith(component.system_key))


def _newest(one: datetime | None, other: datetime) -> datetime:
    return other if one is None else max(one, other)


def with_sighting(case: Case, event: Event) -> Case:
    """Return the closed case with one more sighting; a finding's own id leads its end to this case."""
    finding_id = case.finding_id if event.happening is Happening.FIRED else event.finding_id
    return replace(case, sightings=case.sightings.again(event.detected_at), finding_id=finding_id)

"""Notices as alerts has them, against the copies that mailbox and webhook have counted."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from tests.checker import told


@dataclass(frozen=True, slots=True)
class Copy:
    """One row of alerts.notices: one contact's copy of one step of one case."""

    notice_id: str
    case_id: str
    step: str
    purpose: str
    contact_id: str
    channel: str
    fire: bool
    state: str
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Outage:
    """`kills` of alerts or its database, and the notices that were on their way at one of them."""

    kills: int
    on_their_way: Collection[str]


def check_notices(notices: Sequence[Copy], heard: Mapping[str, int], outage: Outage) -> list[str]:
    """Every notice that was not taken back was accepted and heard; a second copy only of what a kill interrupted."""
    by_id = {one.notice_id: one for one in notices}
    steps = [one for one in notices if one.purpose == "notice"]
    places = Counter((one.case_id, one.step, one.contact_id, one.channel) for one in steps)
    unheard = [one for one in notices if one.state == "accepted" and not heard.get(one.notice_id)]
    more = {notice_id: count for notice_id, count in heard.items() if count > 1}
    too_often = [(notice_id, count) for notice_id, count in more.items() if count > 1 + outage.kills]
    return [
        *told("two notices for one step and contact", [place for place, count in places.items() if count > 1]),
        *told("notice not brought", [one for one in notices if one.state not in ("accepted", "cancelled")]),
        *told("fire notice taken back", [one for one in notices if one.fire and one.state == "cancelled"]),
        *told("accepted, but never heard", unheard),
        *told("heard, but nobody's", sorted(set(heard) - set(by_id))),
        *told("heard more often than killed", too_often),
        *told("heard twice without a kill", sorted(set(more) - set(outage.on_their_way))),
    ]


def extra_copies(heard: Mapping[str, int]) -> int:
    return sum(count - 1 for count in heard.values())


def check_intake(finding_events: Iterable[str], seen: Collection[str]) -> list[str]:
    """Every finding on the topic was taken in by alerts."""
    return told("finding that alerts never took in", sorted(set(finding_events) - set(seen)))


def check_fires(fires: Mapping[str, int], alarms: Mapping[str, int], centre: Mapping[str, int]) -> list[str]:
    """By unit: components that fired and were never restored, those that its cases count, notices to the centre."""
    no_case = [(unit, count, alarms.get(unit, 0)) for unit, count in fires.items() if alarms.get(unit, 0) != count]
    unheard = [(unit, count, centre.get(unit, 0)) for unit, count in fires.items() if centre.get(unit, 0) != count]
    return [
        *told("fire without its case", no_case),
        *told("fire that the centre did not hear of", unheard),
        *told("fire that nobody sent", sorted(set(alarms) - set(fires))),
    ]


def check_all_clears(notices: Sequence[Copy], closed: Collection[str]) -> list[str]:
    """Of each closed case exactly those hear the end who heard of it."""
    wrong = []
    for case_id in closed:
        mine = [one for one in notices if one.case_id == case_id and one.state == "accepted"]
        warned = {(one.contact_id, one.channel) for one in mine if one.purpose == "notice"}
        calmed = {(one.contact_id, one.channel) for one in mine if one.purpose == "all_clear"}
        if warned != calmed:
            wrong.append((case_id, sorted(warned ^ calmed)))
    return told("all-clear not to exactly those who were told", wrong)

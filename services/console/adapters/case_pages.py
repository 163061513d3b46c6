"""A question about cases as conditions and parameters: made of fixed texts, nothing that a reader typed becomes SQL."""

from dataclasses import dataclass
from typing import Any

from services.console.adapters.statements import SQL
from services.console.domain.case_list import CasePlace, CaseQuery, CaseSort, CaseView
from services.kernel.alarm_state import facts_of
from services.kernel.words import AlarmState

Parameters = dict[str, Any]
MIN_INITIALS = 2


@dataclass(frozen=True, slots=True)
class CasePages:
    """`page` finds ids in their order, with `after` where it begins; `count` is how many there are in all."""

    page: str
    where: str
    after: str
    parameters: Parameters


OPEN = {
    CaseSort.PRESSING: (SQL["cases_pressing"], SQL["after_pressing"]),
    CaseSort.NEWEST: (SQL["cases_newest"], SQL["after_newest"]),
    CaseSort.OLDEST: (SQL["cases_oldest"], SQL["after_oldest"]),
}
CLOSED = (SQL["cases_closed"], SQL["after_closed"])
"""The statement of an order, and what begins a page behind a row."""


def case_pages(query: CaseQuery, *, hides_members: bool) -> CasePages:
    """Return the statements' parts. `hides_members`: of brigade or centre, who see the common case, and shelve."""
    closed = query.of_closed
    statement, behind = CLOSED if closed else OPEN[query.sort]
    conditions, parameters = [], Parameters(limit=query.limit + 1, state="closed" if closed else "open")
    if query.view is CaseView.MINE:
        conditions.append(SQL["mine"])
        parameters["reader"] = query.reader
    if query.view is CaseView.UNTAKEN or query.alarm_state is AlarmState.RETURNED_UNACKNOWLEDGED:
        conditions.append(SQL["untaken"])
    if query.alarm_state is not None:
        conditions.append(SQL["in_alarm_state"])
        parameters["alarm_facts"] = facts_of(query.alarm_state)
    elif hides_members and query.view in (CaseView.OPEN, CaseView.UNTAKEN):
        conditions.append(SQL["in_sight"])
    for condition, value, parameter in (
        (SQL["of_kinds"], list(query.kinds), "kinds"),
        (SQL["of_step"], query.step, "step"),
        (SQL["of_town"], query.town, "town"),
        (SQL["of_department"], query.department, "lead"),
    ):
        if value:
            conditions.append(condition)
            parameters[parameter] = value
    if query.text:
        conditions.append(SQL["closed_named"] if closed else SQL["open_named"])
        parameters |= search_parameters(query.text) | {"exact": query.text}
    if hides_members and not closed and not query.narrows:
        conditions.append(SQL["outside_common"])
    after = "TRUE"
    if query.after is not None:
        after = behind
        place = query.after
        parameters |= {"rank": place.rank, "due": place.due, "at": place.at, "behind": place.case_id}
    return CasePages(statement, " AND ".join(conditions) or "TRUE", after, parameters)


def search_parameters(text: str) -> Parameters:
    """Return what a name is looked for by: as it is written, and as initials where the text can be such."""
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    initials = text.lower()
    is_initials = len(initials) >= MIN_INITIALS and initials.isascii() and initials.isalnum()
    return {"like": f"%{escaped}%", "initials": f"%{initials}%" if is_initials else None}


def place_of(row: tuple[Any, ...]) -> CasePlace:
    """Return the place of a row that a page statement found."""
    case_id, rank, due, at = row
    return CasePlace(rank, due, at, case_id)

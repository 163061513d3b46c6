"""Signals that reached us within the limit of the device's own time, of all that tell of something (R46)."""

from collections.abc import Mapping

from services.compliance.domain.figure import Counted, FigureAsk
from services.compliance.domain.population import Population
from services.compliance.domain.transmission import TENTH, UNBELIEVED, Transmissions
from services.kernel.ratio import Ratio


def transmission_timely_rate(population: Population, ask: FigureAsk) -> Counted:
    """`unknown`: the device's clock cannot be believed."""
    found = Transmissions()
    for unit_id in population.unit_ids:
        found.add(transmitted(population, unit_id, ask.start, ask.end))
    return reached(found, ask.limit)


def transmitted(population: Population, unit_id: str, start: int, end: int) -> Transmissions:
    """Return the signals of one unit that were received within [start, end) while it was in scope and commissioned."""
    found = Transmissions()
    of_unit = population.knowledge.transmissions(unit_id)
    members = [member for member in population.memberships(unit_id, start, end) if member.commissioned]
    for one in of_unit if members else ():
        member = next((each for each in members if each.start <= one.received < each.end), None)
        if member is not None and member.exempt:
            found.exempt += 1
        elif member is not None:
            found.take(one)
    return found


def reached(found: Transmissions, limit: int) -> Counted:
    """Return the rate of these within `limit` microseconds, with mean and 95th percentile of those believed."""
    measured, doubtful = found.tenths.total(), found.unbelieved.total()
    timely = sum(many for tenths, many in found.tenths.items() if tenths * TENTH <= limit)
    ratio = Ratio(timely, measured + doubtful, doubtful, found.exempt)
    total = sum(tenths * many for tenths, many in found.tenths.items())
    detail = {
        "measured": measured,
        "mean_us": total * TENTH // measured if measured else None,
        "p95_us": _nearest_rank(found.tenths, measured, 95),
        "not_believed": {flag.value: found.unbelieved[flag] for flag in UNBELIEVED},
    }
    return Counted(ratio, detail)


def _nearest_rank(tenths: Mapping[int, int], measured: int, percent: int) -> int | None:
    """Return the ceil(n x percent / 100)-th of n in microseconds, None without any."""
    left = -(-measured * percent // 100)
    for each in sorted(tenths):
        left -= tenths[each]
        if left <= 0:
            return each * TENTH
    return None

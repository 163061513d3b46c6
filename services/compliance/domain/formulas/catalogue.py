"""Every metric that is offered, by name. A metric without a source is not offered rather than guessed (R34)."""

from collections.abc import Callable
from dataclasses import dataclass

from services.compliance.domain.figure import Counted, FigureAsk
from services.compliance.domain.formulas.access_rate import access_rate
from services.compliance.domain.formulas.coverage import coverage
from services.compliance.domain.formulas.data_completeness import data_completeness
from services.compliance.domain.formulas.device_intact_rate import device_intact_rate
from services.compliance.domain.formulas.duty_check_answer_rate import duty_check_answer_rate
from services.compliance.domain.formulas.fault_cure_timely_rate import fault_cure_timely_rate
from services.compliance.domain.formulas.isolation_rate import isolation_rate
from services.compliance.domain.formulas.live_networking_rate import live_networking_rate
from services.compliance.domain.formulas.meeting_units_rate import meeting_units_rate
from services.compliance.domain.formulas.online_rate import online_rate
from services.compliance.domain.formulas.tested_in_time_rate import tested_in_time_rate
from services.compliance.domain.formulas.time_weighted_networking_rate import time_weighted_networking_rate
from services.compliance.domain.formulas.transmission_timely_rate import transmission_timely_rate
from services.compliance.domain.formulas.unit_availability import unit_availability
from services.compliance.domain.population import Population


@dataclass(frozen=True, slots=True)
class Formula:
    """`count` gets an ask whose window has begun. `counts` is the unit of its numbers.

    `instant`: of an instant, not of a window. `needs`: what must be asked beside scope and window. `cut`: nothing
    counts beyond the horizon, so the window that `count` gets ends there.
    """

    count: Callable[[Population, FigureAsk], Counted]
    counts: str
    instant: bool = False
    needs: frozenset[str] = frozenset()
    cut: bool = True


CATALOGUE = {
    "access_rate": Formula(access_rate, "units", instant=True),
    "live_networking_rate": Formula(live_networking_rate, "units", instant=True),
    "online_rate": Formula(online_rate, "units", instant=True),
    "time_weighted_networking_rate": Formula(time_weighted_networking_rate, "us"),
    "unit_availability": Formula(unit_availability, "us", needs=frozenset({"unit"})),
    "coverage": Formula(coverage, "us"),
    "meeting_units_rate": Formula(meeting_units_rate, "units", needs=frozenset({"availability"})),
    "data_completeness": Formula(data_completeness, "heartbeats"),
    "device_intact_rate": Formula(device_intact_rate, "point_us"),
    "isolation_rate": Formula(isolation_rate, "points", instant=True),
    "fault_cure_timely_rate": Formula(fault_cure_timely_rate, "faults", needs=frozenset({"limit_s"})),
    "tested_in_time_rate": Formula(tested_in_time_rate, "us"),
    "transmission_timely_rate": Formula(transmission_timely_rate, "signals", needs=frozenset({"limit_s"})),
    "duty_check_answer_rate": Formula(duty_check_answer_rate, "checks", cut=False),
}

"""The time-weighted networking rate of one unit."""

from services.compliance.domain.figure import Counted, FigureAsk
from services.compliance.domain.formulas.time_weighted_networking_rate import time_weighted_networking_rate
from services.compliance.domain.population import Population


def unit_availability(population: Population, ask: FigureAsk) -> Counted:
    """`population` is of the unit that is asked for."""
    return time_weighted_networking_rate(population, ask)

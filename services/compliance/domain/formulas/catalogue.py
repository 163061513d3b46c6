"""Every metric that is offered, by name. A metric without a source is not offered rather than guessed (R34)."""

from collections.abc import Callable
from dataclasses import dataclass

from services.compliance.domain.figure import Counted, FigureAsk
from services.compliance.domain.formulas.access_rate import access_rate
from services.compliance.domain.formulas.live_networking_rate import live_networking_rate
from services.compliance.domain.world import World


@dataclass(frozen=True, slots=True)
class Formula:
    """`count` gets an ask within the horizon and the scopes that its text joins. `counts` is the unit of the numbers.

    `instant`: of an instant, not of a window.
    """

    count: Callable[[World, FigureAsk, list[str]], Counted]
    counts: str
    instant: bool = True


CATALOGUE = {
    "access_rate": Formula(access_rate, "units"),
    "live_networking_rate": Formula(live_networking_rate, "units"),
}

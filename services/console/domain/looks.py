"""What each role finds on the live page, and in which order: its own work first."""

from collections.abc import Mapping, Sequence
from typing import Literal

from services.kernel.words import Role

Band = Literal["rates", "tallies"]
Panel = Literal["boards", "cases", "documents", "units"]
Look = Sequence[Band | Sequence[Panel]]
"""From the top: a band over the whole width, or panels side by side. Fires stand above all of them."""

LOOKS: Mapping[Role, Look] = {
    Role.BRIGADE: ("rates", "tallies", ("boards", "units", "cases")),
    Role.CENTRE: (("cases", "units", "boards"), "tallies", "rates"),
    Role.DEPARTMENT: ("tallies", ("documents", "units", "cases"), "rates", ("boards",)),
}
"""A screen has the wall and no live page."""

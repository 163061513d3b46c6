"""Who looks, and which slice of the district that account may see."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import NewType

from services.kernel.words import Role

__all__ = ["WHOLE", "BodyCode", "Role", "Slice", "Username", "Viewer"]

Username = NewType("Username", str)
BodyCode = NewType("BodyCode", str)


@dataclass(frozen=True, slots=True)
class Slice:
    """The part of the district that a viewer may see. `department` None means all of it."""

    department: BodyCode | None

    @property
    def whole(self) -> bool:
        return self.department is None

    def holds(self, lead: str, copies: Collection[str], town: str) -> bool:
        """Return whether a unit or case with this lead, these copies and this town belongs to the slice."""
        return self.department is None or self.department in (lead, town) or self.department in copies


WHOLE = Slice(None)


@dataclass(frozen=True, slots=True)
class Viewer:
    """A signed-in account. `department` is set for role department and for no other.

    `administers`: it works on the accounts of others. Such an account is one of the centre, which approves
    nothing, and asks for nothing itself.
    """

    username: Username
    role: Role
    department: BodyCode | None
    display_name: str
    administers: bool = False
    display_name_en: str = ""

    @property
    def slice(self) -> Slice:
        """Return what this account may see; a department without a code sees nothing at all, never everything."""
        if self.role is Role.DEPARTMENT:
            return Slice(self.department or BodyCode(""))
        return WHOLE

    @property
    def is_screen(self) -> bool:
        return self.role is Role.SCREEN

"""Screens: displays on a wall that show the live picture for months, without a person who signs in.

A screen is an account of its own that no password opens. Its key is the token of one session that ends on the day that
was said; whoever has the key sees the live picture of the district, and nothing more, and can change nothing.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from services.console.domain.accounts import Account, BadAccount, checked_account
from services.console.domain.errors import NotAllowed
from services.console.domain.viewer import Role, Username, Viewer

NO_PASSWORD = "!"  # noqa: S105 - no hash: no password matches it
LONGEST_DAYS = 400
"""A year, and some weeks to have it renewed in."""
_READS = frozenset({"/api/v1/me", "/api/v1/stream"})
_READS_BELOW = "/api/v1/summary/"


@dataclass(frozen=True, slots=True)
class NewScreen:
    """A screen as an administrator describes it; one that is there already gets a new key by it."""

    name: str
    display_name: str
    days: int


@dataclass(frozen=True, slots=True)
class ScreenKey:
    """What opens a screen, shown once, and until when it does."""

    key: str
    until: datetime


@dataclass(frozen=True, slots=True)
class Screen:
    """`expires_at` is when its key opens nothing any more; None: it opens nothing now."""

    username: Username
    display_name: str
    disabled: bool
    expires_at: datetime | None


def new_screen(name: str, display_name: str, days: int) -> tuple[Account, timedelta]:
    """Return the account of a screen and how long its key opens it. Raises BadAccount."""
    if not 1 <= days <= LONGEST_DAYS:
        raise BadAccount(f"days: 1 to {LONGEST_DAYS}")
    viewer = checked_account(name, Role.SCREEN, None, display_name)
    return Account(viewer.username, viewer.role, None, viewer.display_name, NO_PASSWORD), timedelta(days=days)


def may_read(viewer: Viewer, path: str) -> None:
    """Refuse a screen whatever its picture does not need. Raises NotAllowed."""
    if viewer.is_screen and path not in _READS and not path.startswith(_READS_BELOW):
        raise NotAllowed("a screen shows the live picture only")

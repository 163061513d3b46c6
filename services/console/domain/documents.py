"""Who may do what with documents in the console. What a document is, and what may follow on what, documents decides."""

from dataclasses import dataclass
from typing import Literal

from services.console.domain.errors import NotAllowed
from services.console.domain.viewer import BodyCode, Role, Viewer

Only = Literal["all", "todo", "overdue", "undecided"]


@dataclass(frozen=True, slots=True)
class InboxPage:
    """Which documents of the viewer's inbox: those of a sort, a page of them."""

    only: Only = "all"
    offset: int = 0
    limit: int = 50


@dataclass(frozen=True, slots=True)
class RawForm:
    """A form with files as the browser sent it. It is handed on unread: documents reads it, and checks every file."""

    content_type: str
    content: bytes


@dataclass(frozen=True, slots=True)
class File:
    """A file that somebody handed in; never to be shown in a page, only to be saved."""

    name: str
    media_type: str
    content: bytes


def party_of(viewer: Viewer) -> BodyCode | None:
    """Return for whom the viewer reads documents; None for brigade and centre, who see all of them."""
    return viewer.slice.department


def party_that_answers(viewer: Viewer) -> BodyCode:
    """Return for whom the viewer signs and answers. Raises NotAllowed for brigade and centre."""
    party = party_of(viewer)
    if party is None:
        raise NotAllowed
    return party


def may_decide(viewer: Viewer) -> None:
    """Raise NotAllowed unless the viewer decides on replies and appeals: the brigade does."""
    if viewer.role is not Role.BRIGADE:
        raise NotAllowed


@dataclass(frozen=True, slots=True)
class MailPage:
    """Which mails that came as answers: those that wait, or all; a page of them, newest first."""

    everything: bool = False
    offset: int = 0
    limit: int = 50


def may_handle_mails(viewer: Viewer) -> None:
    """Raise NotAllowed unless the viewer reads mails that came as answers: brigade and centre do, for all bodies.

    Who a mail is from anybody can write into it, so none is shown to the body that it claims to be from.
    """
    if viewer.role not in (Role.BRIGADE, Role.CENTRE):
        raise NotAllowed


def may_revoke(viewer: Viewer) -> None:
    """Raise NotAllowed unless the viewer may take a link back: brigade and centre may."""
    if viewer.role is Role.DEPARTMENT:
        raise NotAllowed

"""Who did what to accounts, in a chain that no entry can be taken out of."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from services.console.domain.accounts import Account
from services.kernel import chain
from services.kernel.chain import Link, linked

Detail = Mapping[str, str | bool | None]


@dataclass(frozen=True, slots=True)
class AccountAct:
    """Who does what, and when. How the account stands since is known once it is done."""

    at: datetime
    by: str
    action: str


@dataclass(frozen=True, slots=True)
class AccountEntry:
    """`by` did `action` to the account `about`; `detail`: how it stands since, never its password."""

    at: datetime
    by: str
    action: str
    about: str
    detail: Detail


AccountLink = Link[AccountEntry]


def entry(act: AccountAct, account: Account) -> AccountEntry:
    detail: Detail = {
        "role": account.role.value,
        "department": account.department,
        "display_name": account.display_name,
        "display_name_en": account.display_name_en,
        "administers": account.administers,
        "disabled": account.disabled,
        "one_time": account.one_time_until is not None,
        "second_factor": account.second_factor is not None,
        "identity": None if account.identity is None else f"{account.identity.issuer} {account.identity.subject}",
    }
    return AccountEntry(act.at, act.by, act.action, account.username, detail)


def link(what: AccountEntry, last: AccountLink | None) -> AccountLink:
    """Return an entry linked behind the last one."""
    return linked(what, last, _row)


def broken_at(links: Iterable[AccountLink]) -> int | None:
    """Return the first place in which the chain does not hold, None when all of it does. In the order of `seq`."""
    return chain.broken_at(links, _row)


def _row(seq: int, what: AccountEntry) -> dict[str, object]:
    return {
        "seq": seq,
        "at": what.at.astimezone(UTC).isoformat(timespec="microseconds"),
        "account": what.by,
        "action": what.action,
        "about": what.about,
        "detail": dict(what.detail),
    }

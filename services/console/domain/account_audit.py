"""Who did what to accounts, in a chain that no entry can be taken out of."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from services.console.domain.accounts import Account
from services.kernel.chain import GENESIS, chained, digest_of

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


@dataclass(frozen=True, slots=True)
class AccountLink:
    """An entry in its place in the chain, from 1."""

    seq: int
    entry: AccountEntry
    prev_hash: str
    hash: str


def entry(act: AccountAct, account: Account) -> AccountEntry:
    detail: Detail = {
        "role": account.role.value,
        "department": account.department,
        "display_name": account.display_name,
        "administers": account.administers,
        "disabled": account.disabled,
        "one_time": account.one_time_until is not None,
    }
    return AccountEntry(act.at, act.by, act.action, account.username, detail)


def link(what: AccountEntry, last: AccountLink | None) -> AccountLink:
    """Return an entry linked behind the last one."""
    seq, prev_hash = (1, GENESIS) if last is None else (last.seq + 1, last.hash)
    row = {
        "seq": seq,
        "at": what.at.astimezone(UTC).isoformat(timespec="microseconds"),
        "account": what.by,
        "action": what.action,
        "about": what.about,
        "detail": dict(what.detail),
    }
    return AccountLink(seq, what, prev_hash, chained(prev_hash, digest_of(row)))


def broken_at(links: Iterable[AccountLink]) -> int | None:
    """Return the first place in which the chain does not hold, None when all of it does. In the order of `seq`."""
    last: AccountLink | None = None
    for each in links:
        if each != link(each.entry, last):
            return 1 if last is None else last.seq + 1
        last = each
    return None

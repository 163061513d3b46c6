"""Section 2: what goes in. Instants are whole microseconds since 1970 (UTC), days whole Shanghai days since then."""

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from typing import Any

import yaml

Row = dict[str, Any]
US = 1_000_000
DAY = 86_400 * US
SHANGHAI = 8 * 3600 * US
NEVER = 1 << 62
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Refused(Exception):
    """An error of the table in section 1; `code` is one of it."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@lru_cache(maxsize=100_000)
def instant(text: str) -> int:
    """Return microseconds of an RFC 3339 instant; a bare date is its 00:00 in Shanghai."""
    if len(text) == len("2026-03-10"):
        return midnight(day_number(text))
    return (datetime.fromisoformat(text) - EPOCH) // timedelta(microseconds=1)


@lru_cache(maxsize=10_000)
def day_number(text: str) -> int:
    """Return the number of a date."""
    return date.fromisoformat(text).toordinal() - date(1970, 1, 1).toordinal()


def date_of(day: int) -> date:
    """Return the date of a day's number."""
    return date(1970, 1, 1) + timedelta(days=day)


def day_of(at: int) -> int:
    """R1: the Shanghai day of an instant."""
    return (at + SHANGHAI) // DAY


def midnight(day: int) -> int:
    """R1: 00:00 of a day."""
    return day * DAY - SHANGHAI


def told(at: int) -> str:
    """Return an instant as it goes out: UTC, six digits, Z."""
    return (EPOCH + timedelta(microseconds=at)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def microseconds(seconds: object) -> int:
    """Return seconds of packs, profiles and asks in whole microseconds, rounded to the nearest."""
    return round(Fraction(str(seconds)) * US)


def decimal_text(text: str) -> str:
    """Return a decimal in its shortest form: 1.0 is "1"."""
    return format(Decimal(text).normalize(), "f")


@dataclass(frozen=True)
class Profile:
    """Supervision of one unit on one day; all in microseconds."""

    interval: int
    deadline: int
    stable: int

    @property
    def late(self) -> int:
        """R12: 1.5 intervals, rounded down."""
        return self.interval * 3 // 2


class Pack:
    """One pack; every number in it is kept as it is written."""

    def __init__(self, source: str) -> None:
        said = yaml.load(source, Loader=yaml.BaseLoader)
        self.ref = {"pack_id": said["pack_id"], "version": int(said["version"])}
        self.version = int(said["version"])
        self.valid_from = day_number(said["valid_from"])
        self.valid_to = day_number(said["valid_to"])
        self.blind_after = microseconds(said["blind_after_s"])
        self.close_after = microseconds(said.get("close_after_s", "21600"))
        self.scopes: Row = said["scopes"]
        self.targets: Row = said["targets"]
        self.default_profile: str = said["default_profile"]
        self.profiles = {name: _profile(row) for name, row in said["profiles"].items()}
        self.duties = [_duty(row) for row in said.get("test_duty", [])]
        cause = said["common_cause"]
        self.cause_by: list[str] = cause.get("by", ["carrier", "town"])
        self.cause_units = int(cause["units"])
        self.cause_window = microseconds(cause["window_s"])

    def profile(self, name: str | None) -> Profile:
        """R12: the named profile, the default when there is none or the pack lacks it."""
        return self.profiles.get(name or "", self.profiles[self.default_profile])


@dataclass(frozen=True)
class Duty:
    """R45: a duty to test; `deadline` in microseconds."""

    scopes: tuple[str, ...]
    categories: tuple[str, ...]
    deadline: int
    counts: str


def _duty(row: Row) -> Duty:
    deadline = microseconds(row["every_s"]) + microseconds(row.get("buffer_s", "0"))
    return Duty(
        tuple(row.get("scopes", ())), tuple(row.get("categories", ())), deadline, row.get("counts", "alarms")
    )  # fmt: skip


def _profile(row: Row) -> Profile:
    interval = microseconds(row["interval_s"])
    deadline = int(row["misses"]) * interval + microseconds(row["grace_s"])
    return Profile(interval, deadline, int(row.get("stable_heartbeats", "2")))


@lru_cache(maxsize=200)
def pack(source: str) -> Pack:
    """Return the pack that `source`, YAML, says."""
    return Pack(source)


@dataclass(frozen=True)
class History:
    """The four files: packs as YAML, registry and log as their lines, the ask."""

    packs: tuple[str, ...]
    registry: tuple[str, ...]
    log: tuple[str, ...]
    ask: Row

    def read_packs(self) -> list[Pack]:
        """Return the packs. Raises Refused without any."""
        if not self.packs:
            raise Refused("no_pack")
        return [pack(source) for source in self.packs]

    def read(self) -> tuple[list[Row], list[Row]]:
        """Return registry events and lines of the log."""
        return [json.loads(line) for line in self.registry], [json.loads(line) for line in self.log]


def pack_of(packs: list[Pack], day: int) -> Pack:
    """R2: the pack in force on a day; on a day without one, the earliest pack."""
    return pack_in_force(packs, day) or min(packs, key=lambda each: (each.valid_from, each.version))


def pack_in_force(packs: list[Pack], day: int) -> Pack | None:
    """R2: of those with valid_from <= day <= valid_to the greatest (valid_from, version); None without any."""
    valid = [each for each in packs if each.valid_from <= day <= each.valid_to]
    return max(valid, key=lambda each: (each.valid_from, each.version), default=None)


def row_of(versions: list[Row], day: int) -> Row | None:
    """R1: of the rows with valid_from <= day the one with the greatest (valid_from, recorded_at)."""
    valid = [row for row in versions if day_number(row["valid_from"]) <= day]
    return max(valid, key=lambda row: (day_number(row["valid_from"]), instant(row["recorded_at"])), default=None)


def retired(row: Row, day: int) -> bool:
    """R1: retired_on is the first day that no longer counts."""
    return row.get("retired_on") is not None and day_number(row["retired_on"]) <= day

"""Figures as they were published, for whoever proves them."""

from collections.abc import Iterator
from typing import NamedTuple

import psycopg

from services.compliance.adapters.statements import SQL
from services.compliance.domain.period import Window
from services.compliance.domain.publishing import Key
from services.kernel.calendar import micros, moment
from services.kernel.words import Period
from services.runtime.postgres import AWAY, connect_arguments


class StoreAway(Exception):
    """The database cannot be asked now."""


class StoredFigure(NamedTuple):
    """One revision; `known_at` in microseconds, `text` as it was stored."""

    key: Key
    revision: int
    known_at: int
    text: str


def figures_between(dsn: str, start: int, end: int) -> Iterator[StoredFigure]:
    """Yield every revision of periods within [start, end), in the order of publication. Raises StoreAway."""
    yield from _figures(dsn, "replay", 600, SQL["figures_between"], (moment(start), moment(end)))


def revisions_of(dsn: str, key: Key) -> Iterator[StoredFigure]:
    """Yield every revision of one figure, the first one first. Raises StoreAway."""
    window = key.window
    asked = (*key[:4], window.kind.value, moment(window.start))
    yield from _figures(dsn, "explain", 30, SQL["figure_revisions"], asked)


def _figures(dsn: str, name: str, deadline_s: int, query: str, asked: tuple[object, ...]) -> Iterator[StoredFigure]:
    try:
        arguments = connect_arguments(name, deadline_s)
        with psycopg.connect(dsn, **arguments) as connection, connection.cursor(name="figures") as cursor:
            cursor.execute(query.encode(), asked)
            for metric, scope, kind, value, period, begins, ends, revision, known_at, text in cursor:
                window = Window(Period(period), micros(begins), micros(ends))
                yield StoredFigure(Key(metric, scope, kind, value, window), revision, micros(known_at), text)
    except AWAY as error:
        raise StoreAway(type(error).__name__) from error

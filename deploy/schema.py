"""What all migrations together make, read from the catalogue of a real PostgreSQL: `python -m deploy.schema [--check]`.

deploy/schema.sql is for reading and comparing, not for running: columns stand in the order of their names, so that the
order of migrations does not show. `breaches` says what an installation of the version before would stumble over.
"""

import difflib
import re
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from deploy.stack.ports import free_ports
from deploy.stack.postgres import Postgres
from services.runtime.migrate import MIGRATIONS, migrate

SCHEMA = MIGRATIONS.parent / "schema.sql"
LAST_RELEASED = MIGRATIONS / "LAST_RELEASED"
HEAD = "-- What all of deploy/migrations make, as PostgreSQL tells it. Written by `make schema`; not for running.\n"

_OURS = "n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'public')"
_COLUMNS = f"""
SELECT n.nspname || '.' || c.relname, c.relkind = 'v', quote_ident(a.attname), format_type(a.atttypid, a.atttypmod),
       a.attnotnull, CASE WHEN a.attidentity <> '' THEN 'identity' ELSE pg_get_expr(d.adbin, d.adrelid) END
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
WHERE {_OURS} AND c.relkind IN ('r', 'p', 'v') ORDER BY 1, 3
"""  # noqa: S608 - a constant
_CONSTRAINTS = f"""
SELECT n.nspname || '.' || c.relname, k.conname, pg_get_constraintdef(k.oid)
FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE {_OURS} AND k.contype <> 'n' ORDER BY 1, 2
"""  # noqa: S608 - a constant
_INDEXES = f"""
SELECT n.nspname || '.' || c.relname, i.relname, pg_get_indexdef(x.indexrelid)
FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_class c ON c.oid = x.indrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE {_OURS} AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.oid AND k.contype IN ('p', 'u', 'x'))
ORDER BY 1, 2
"""  # noqa: S608 - a constant
_VIEWS = f"""
SELECT n.nspname || '.' || c.relname, pg_get_viewdef(c.oid)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE {_OURS} AND c.relkind = 'v'
"""  # noqa: S608 - a constant
_ROUTINES = f"""
SELECT pg_get_functiondef(p.oid) FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE {_OURS}
UNION ALL
SELECT pg_get_triggerdef(t.oid) FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
JOIN pg_namespace n ON n.oid = c.relnamespace WHERE {_OURS} AND NOT t.tgisinternal
ORDER BY 1
"""  # noqa: S608 - a constant


@dataclass(frozen=True, slots=True)
class Column:
    """Its type, whether it must have a value, and the value it gets when nobody gives one ('' for none)."""

    type: str
    not_null: bool
    default: str

    def __str__(self) -> str:
        default = f" DEFAULT {self.default}" if self.default else ""
        return f"{self.type}{' NOT NULL' if self.not_null else ''}{default}"


@dataclass(slots=True)
class Relation:
    """A table or a view; constraints and indexes by name."""

    is_view: bool
    columns: dict[str, Column] = field(default_factory=dict)
    constraints: dict[str, str] = field(default_factory=dict)
    indexes: dict[str, str] = field(default_factory=dict)
    definition: str = ""

    def text(self, name: str) -> str:
        if self.is_view:
            return f"CREATE VIEW {name} AS\n{self.definition}\n"
        lines = [f"{column} {what}" for column, what in sorted(self.columns.items())]
        lines += [f"CONSTRAINT {constraint} {what}" for constraint, what in sorted(self.constraints.items())]
        inner = ",\n    ".join(lines)
        return f"CREATE TABLE {name} (\n    {inner}\n);\n" + "".join(
            f"{one};\n" for _, one in sorted(self.indexes.items())
        )

    @property
    def bounds(self) -> dict[str, str]:
        """What refuses a row, by name: constraints and unique indexes."""
        return self.constraints | {name: one for name, one in self.indexes.items() if " UNIQUE INDEX " in one}


@dataclass(slots=True)
class Catalogue:
    """What stands in the schemas of our services."""

    relations: dict[str, Relation]
    routines: list[str]

    def text(self) -> str:
        parts = [one.text(name) for name, one in sorted(self.relations.items(), key=lambda each: each[0])]
        return "\n".join([HEAD, *parts, *(f"{one};\n" for one in self.routines)])


def read(dsn: str) -> Catalogue:
    """Return what stands in the database."""
    relations: dict[str, Relation] = {}
    with psycopg.connect(dsn) as connection:
        for name, is_view, column, type_, not_null, default in connection.execute(_COLUMNS):
            relation = relations.setdefault(name, Relation(is_view))
            relation.columns[column] = Column(type_, not_null, default or "")
        for name, constraint, definition in connection.execute(_CONSTRAINTS):
            relations[name].constraints[constraint] = definition
        for name, index, definition in connection.execute(_INDEXES):
            relations[name].indexes[index] = definition
        for name, definition in connection.execute(_VIEWS):
            relations[name].definition = definition
        return Catalogue(relations, [row[0] for row in connection.execute(_ROUTINES)])


def drift(dsn: str) -> str:
    """Return the difference between deploy/schema.sql and the database, '' for none."""
    kept = SCHEMA.read_text(encoding="utf-8") if SCHEMA.exists() else ""
    lines = (kept.splitlines(), read(dsn).text().splitlines())
    return "\n".join(difflib.unified_diff(*lines, "deploy/schema.sql", "all migrations", lineterm=""))


def breaches(before: Catalogue, after: Catalogue) -> list[str]:
    """Return what the code written for `before` would stumble over in `after`: what is gone, renamed or stricter."""
    found = []
    for name, old in before.relations.items():
        new = after.relations.get(name)
        if new is None:
            found.append(f"{name} is gone")
            continue
        found += [f"{name}.{each}" for each in _column_breaches(old, new)]
        wider = {key for key, one in old.bounds.items() if key in new.bounds and _admits_more(one, new.bounds[key])}
        # an upsert names the one, an insert meets the other
        for bound in sorted(each for each in old.bounds.items() ^ new.bounds.items() if each[0] not in wider):
            what = "is gone" if bound in old.bounds.items() else "is new"
            found.append(f"{name}: {bound[0]} {what}: {bound[1]}")
    return found


def _admits_more(old: str, new: str) -> bool:
    """Say whether a check is the same but for words that it admits besides: a closed set that grew."""
    words = [set(re.findall(r"'(\w+)'", one)) for one in (old, new)]
    frames = [re.sub(r"'\w+'::text(, )?", "", one) for one in (old, new)]
    return words[0] < words[1] and frames[0] == frames[1] and " = ANY (ARRAY[" in old


def _column_breaches(old: Relation, new: Relation) -> list[str]:
    found = []
    for name, column in old.columns.items():
        now = new.columns.get(name)
        if now is None:
            found.append(f"{name} is gone")
        elif now.type != column.type:
            found.append(f"{name} was {column.type} and is {now.type}")
        elif now.not_null and not now.default and (column.default or not column.not_null):
            found.append(f"{name} must be given now")
    fresh = [(name, new.columns[name]) for name in new.columns if name not in old.columns]
    return found + [f"{name} is new and must be given" for name, one in fresh if one.not_null and not one.default]


def last_released() -> str:
    """Return the name of the last migration of the version that installations run now."""
    return LAST_RELEASED.read_text(encoding="utf-8").strip()


def main(arguments: list[str]) -> None:
    """Migrate an empty database of a server of its own, and write or check deploy/schema.sql."""
    (port,) = free_ports(1)
    with tempfile.TemporaryDirectory() as folder:
        server = Postgres(Path(folder) / "postgres", port=port)
        server.start()
        try:
            migrate(server.dsn())
            found = drift(server.dsn())
            if found and "--check" not in arguments:
                SCHEMA.write_text(read(server.dsn()).text(), encoding="utf-8")
        finally:
            server.stop()
    if found:
        print(found)
        sys.exit(
            "deploy/schema.sql is not what the migrations make: run `make schema`" if "--check" in arguments else 0
        )


if __name__ == "__main__":
    main(sys.argv[1:])

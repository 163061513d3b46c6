"""Phases of migrations, what they make together, and what the version before finds in between."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from deploy.schema import breaches, drift, last_released, read
from deploy.stack.postgres import Postgres
from services.runtime import migrate as migrating
from services.runtime.migrate import MIGRATIONS, OutOfOrder, Phase, left, main, migrate
from tests.parts import fresh_database

PRE = "9001_pre_more"
POST = "9002_post_less"
RESTS_ON_POST = "9003_pre_rests"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Our migrations, to put others beside."""
    copy = tmp_path / "migrations"
    shutil.copytree(MIGRATIONS, copy)
    return copy


@pytest.fixture(scope="module")
def released_template(postgres_server: Postgres) -> Iterator[str]:
    """The name of a database as installations of the last release have it."""
    with fresh_database(postgres_server) as name:
        migrate(postgres_server.dsn(name), until=last_released())
        yield name


@pytest.fixture
def released(postgres_server: Postgres, released_template: str) -> Iterator[str]:
    """The address of a database as the last release left it."""
    with fresh_database(postgres_server, released_template) as name:
        yield postgres_server.dsn(name)


def add(folder: Path, name: str, statements: str) -> None:
    (folder / f"{name}.sql").write_text(statements, encoding="utf-8")


def test_all_migrations_make_the_schema_that_is_committed(migrated_database: str) -> None:
    assert drift(migrated_database) == "", "run `make schema` and look at what changed"


def test_drift_is_shown_as_a_difference(migrated_database: str) -> None:
    with psycopg.connect(migrated_database) as connection:
        connection.execute("ALTER TABLE rules.units DROP COLUMN community CASCADE")
        connection.execute("ALTER TABLE rules.snapshots ADD COLUMN age integer")
    lines = drift(migrated_database).splitlines()
    assert "-    community text NOT NULL," in lines
    assert "+    age integer," in lines


def test_pre_then_post_makes_what_the_order_of_numbers_makes(released: str) -> None:
    migrate(released, phase=Phase.PRE)
    migrate(released, phase=Phase.POST)
    assert drift(released) == ""
    assert migrate(released) == []


def test_the_version_before_works_on_the_pre_migrated_schema(released: str) -> None:
    before = read(released)
    migrate(released, phase=Phase.PRE)
    assert breaches(before, read(released)) == []


@pytest.mark.parametrize(
    ("statements", "told"),
    [
        ("ALTER TABLE alerts.steps DROP COLUMN nobody", ["alerts.steps.nobody is gone"]),
        (
            "ALTER TABLE alerts.steps RENAME COLUMN nobody TO why",
            ["alerts.steps.nobody is gone"],
        ),
        ("DROP VIEW rules.losses", ["rules.losses is gone"]),
        ("ALTER TABLE rules.outbox RENAME TO waiting", ["rules.outbox is gone"]),
        (
            "ALTER TABLE alerts.seen ALTER COLUMN seen_at TYPE date",
            ["alerts.seen.seen_at was timestamp with time zone and is date"],
        ),
        ("ALTER TABLE alerts.steps ALTER COLUMN nobody SET NOT NULL", ["alerts.steps.nobody must be given now"]),
        (
            "ALTER TABLE rules.units ALTER COLUMN open_fires DROP DEFAULT",
            ["rules.units.open_fires must be given now"],
        ),
        (
            "ALTER TABLE alerts.steps ADD COLUMN paper text NOT NULL",
            ["alerts.steps.paper is new and must be given"],
        ),
        (
            "DROP INDEX alerts.one_open_case",
            [
                "alerts.cases: one_open_case is gone: CREATE UNIQUE INDEX one_open_case ON alerts.cases"
                " USING btree (unit_id, kind) WHERE ((state = 'open'::text) AND (unit_id IS NOT NULL))"
            ],
        ),
        (
            "ALTER TABLE rules.outbox ADD CONSTRAINT keyed CHECK (key <> '')",
            ["rules.outbox: keyed is new: CHECK ((key <> ''::text))"],
        ),
        (  # a closed set that grew, as in 0020, is nothing; one that shrank is
            "ALTER TABLE rules.transitions DROP CONSTRAINT transitions_aspect_check,"
            " ADD CONSTRAINT transitions_aspect_check CHECK (aspect IN ('health'))",
            [
                "rules.transitions: transitions_aspect_check is new: CHECK ((aspect = 'health'::text))",
                "rules.transitions: transitions_aspect_check is gone: "
                "CHECK ((aspect = ANY (ARRAY['connection'::text, 'health'::text])))",
            ],
        ),
        (
            "CREATE TABLE rules.more (a text); ALTER TABLE alerts.steps ADD COLUMN paper text;"
            "ALTER TABLE alerts.steps ADD COLUMN pages integer NOT NULL DEFAULT 1; CREATE INDEX ON alerts.steps (step)",
            [],
        ),
    ],
)
def test_what_the_version_before_would_stumble_over_is_told(
    released: str, tmp_path: Path, statements: str, told: list[str]
) -> None:
    for file in MIGRATIONS.glob("*.sql"):
        if file.stem <= last_released():
            shutil.copy(file, tmp_path)
    before = read(released)
    add(tmp_path, PRE, statements)
    assert migrate(released, tmp_path, phase=Phase.PRE) == [PRE]
    assert breaches(before, read(released)) == told


def test_pre_leaves_post_for_later_whatever_the_numbers(released: str, folder: Path) -> None:
    add(folder, POST, "ALTER TABLE alerts.steps DROP COLUMN nobody")
    add(folder, RESTS_ON_POST, "CREATE TABLE rules.more (a text)")
    assert POST not in migrate(released, folder, phase=Phase.PRE)
    assert POST in migrate(released, folder, phase=Phase.POST)
    assert migrate(released, folder) == []


def test_whoever_waits_for_a_lock_lets_the_others_by_and_comes_again(
    released: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    migrate(released)
    add(folder, PRE, "CREATE TABLE rules.more (a text); ALTER TABLE alerts.steps ADD COLUMN paper text")
    monkeypatch.setattr(migrating, "LOCK_TIMEOUT_MS", 50)
    rests = 0
    with psycopg.connect(released) as reader, psycopg.connect(released, autocommit=True) as other:

        def others_turn() -> None:
            nonlocal rests
            rests += 1
            with other.transaction():
                other.execute("LOCK TABLE alerts.steps IN ROW EXCLUSIVE MODE NOWAIT")
            if rests == busy_for:
                reader.rollback()

        monkeypatch.setattr(migrating, "_rest", others_turn)
        reader.execute("SELECT count(*) FROM alerts.steps")
        busy_for = 0
        with pytest.raises(psycopg.errors.LockNotAvailable):
            migrate(released, folder)
        assert rests == migrating.LOCK_TRIES - 1
        assert left(released, folder) == [PRE]
        rests, busy_for = 0, 2
        assert migrate(released, folder) == [PRE]
        assert rests == 2


def test_an_index_whose_build_was_given_up_is_built_again(database: str) -> None:
    """PostgreSQL leaves it behind as one that is not valid."""
    name = "0088_pre_indexes_of_large_tables"
    migrate(database, until="0087_pre_english_account_names")
    with psycopg.connect(database) as connection:
        connection.execute("CREATE INDEX cases_returned ON alerts.cases (closed_at)")
        connection.execute(
            "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'alerts.cases_returned'::regclass"
        )
    assert name in migrate(database)
    assert drift(database) == ""
    with psycopg.connect(database) as connection:
        valid = "SELECT bool_and(indisvalid) FROM pg_index"
        assert connection.execute(valid).fetchone() == (True,)


def test_post_waits_for_what_comes_first(released: str, folder: Path) -> None:
    add(folder, PRE, "CREATE TABLE rules.more (a text)")
    add(folder, POST, "ALTER TABLE rules.more ADD COLUMN b text")
    with pytest.raises(OutOfOrder, match=f"{PRE}.* must be applied before .*{POST}: run without --post first"):
        migrate(released, folder, phase=Phase.POST)
    migrate(released, folder, phase=Phase.PRE)
    assert migrate(released, folder, phase=Phase.POST)[-1] == POST


def test_pre_that_rests_on_post_of_the_version_before_says_so(released: str, folder: Path) -> None:
    add(folder, POST, "ALTER TABLE alerts.steps DROP COLUMN nobody")
    add(folder, RESTS_ON_POST, f"-- depends: {POST}\nALTER TABLE alerts.steps ADD COLUMN nobody text")
    with pytest.raises(OutOfOrder, match=f"{POST} must be applied before {RESTS_ON_POST}"):
        migrate(released, folder, phase=Phase.PRE)
    with psycopg.connect(released) as connection:
        assert connection.execute("SELECT count(nobody) FROM alerts.steps").fetchone() == (0,), "nothing was applied"


def test_post_that_was_left_out_is_made_up_for_with_the_files_of_the_next_release(
    migrated_database: str, folder: Path
) -> None:
    """Whoever has the new files only must not stand between a `pre` that waits for `post` and the reverse."""
    add(folder, POST, "ALTER TABLE alerts.steps DROP COLUMN nobody")
    add(folder, RESTS_ON_POST, f"-- depends: {POST}\nALTER TABLE alerts.steps ADD COLUMN nobody text")
    add(folder, "9004_post_later", "DROP VIEW rules.losses")
    with pytest.raises(OutOfOrder, match=f"{POST} must be applied before {RESTS_ON_POST}"):
        migrate(migrated_database, folder, phase=Phase.PRE)
    assert migrate(migrated_database, folder, phase=Phase.POST) == [POST], (
        "what comes after the new `pre` is not its turn yet"
    )
    assert migrate(migrated_database, folder, phase=Phase.PRE) == [RESTS_ON_POST]
    assert left(migrated_database, folder) == ["9004_post_later"]


def test_post_does_not_go_before_pre_that_rests_on_none_of_it(migrated_database: str, folder: Path) -> None:
    add(folder, POST, "ALTER TABLE alerts.steps DROP COLUMN nobody")
    add(folder, RESTS_ON_POST, "CREATE TABLE rules.more (a text)")
    with pytest.raises(OutOfOrder, match=f"{RESTS_ON_POST} must be applied before {POST}: run without --post first"):
        migrate(migrated_database, folder, phase=Phase.POST)


def test_an_empty_database_gets_both_phases_at_once(database: str, folder: Path) -> None:
    add(folder, POST, "ALTER TABLE alerts.steps DROP COLUMN nobody")
    assert migrate(database, folder, phase=Phase.PRE)[-1] == POST


def test_the_command_line_applies_one_phase_or_both(
    migrated_database: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a word `pre`, so that nobody takes a column from under the version before by mistake."""
    add(folder, PRE, "CREATE TABLE rules.more (a text)")
    add(folder, POST, "ALTER TABLE alerts.steps DROP COLUMN nobody")
    monkeypatch.setattr(migrating, "migrate", lambda dsn, phase: migrate(dsn, folder, phase=phase))
    monkeypatch.setattr(migrating, "left", lambda dsn: left(dsn, folder))
    monkeypatch.setenv("FIRENET_DATABASE_DSN", migrated_database)
    with pytest.raises(SystemExit, match=f"migrations failed: {PRE} must be applied before {POST}: run without --post"):
        main(["--post"])
    for arguments in ([], [], ["--post"], ["--all"]):
        main(arguments)
    assert capsys.readouterr().out.splitlines() == [
        f"migrations applied: {PRE}",
        f"migrations left: {POST}: run with --post once nothing of the version before runs",
        "migrations applied: none, up to date",
        f"migrations left: {POST}: run with --post once nothing of the version before runs",
        f"migrations applied: {POST}",
        "migrations applied: none, up to date",
    ]

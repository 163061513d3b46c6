"""A migration says in its name when it may be applied."""

import re

import pytest

from deploy.schema import last_released
from services.runtime.migrate import LAST_WITHOUT_PHASE, MIGRATIONS, Phase, phase_of, wait


def test_every_migration_has_a_phase_and_a_number_of_its_own() -> None:
    names = sorted(path.stem for path in MIGRATIONS.glob("*.sql"))
    assert all(phase_of(name) in Phase for name in names)
    assert len({name[:4] for name in names}) == len(names) >= LAST_WITHOUT_PHASE - 1
    assert last_released() in names


def test_an_index_of_a_table_that_others_write_to_is_built_beside_them() -> None:
    """Built in a transaction it holds up all writers of the table, and with them alarms, for as long as that takes."""
    files = {path.stem: path.read_text(encoding="utf-8") for path in MIGRATIONS.glob("*.sql") if path.stem >= "0083"}
    built = 0
    for name, text in files.items():
        if phase_of(name) is Phase.POST:
            continue
        own = set(re.findall(r"CREATE TABLE ([\w.]+)", text))
        for how, table in re.findall(r"CREATE (?:UNIQUE )?INDEX (CONCURRENTLY )?\w+\s+ON ([\w.]+)", text):
            assert table in own or (how and text.startswith("-- transactional: false\n")), (name, table)
            built += table not in own
    assert built


@pytest.mark.parametrize(
    ("name", "phase"),
    [
        ("0001_registry", Phase.PRE),
        ("0013_losses_and_lines", Phase.PRE),
        ("0014_pre_clocks", Phase.PRE),
        ("0015_post_unit_id_goes", Phase.POST),
    ],
)
def test_the_phase_stands_behind_the_number(name: str, phase: Phase) -> None:
    assert phase_of(name) is phase


@pytest.mark.parametrize("name", ["0014_clocks", "14_pre_clocks", "0014_pre_", "0014_during_clocks", "0014-pre-clocks"])
def test_a_name_without_a_phase_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="NNNN_pre_what or NNNN_post_what"):
        phase_of(name)


def test_whoever_waits_says_for_what_and_goes_on_when_all_pre_is_there() -> None:
    """As each pod of the chart does while the Job of its release works; what waits for a person is not waited for."""
    states: list[Exception | list[str]] = [
        OSError("connection refused\nIs the server running?"),
        OSError("connection refused\nIs the server running?"),
        ["0014_pre_clocks", "0015_post_unit_id_goes"],
        ["0015_post_unit_id_goes"],
    ]
    said: list[str] = []
    rests: list[None] = []

    def left_now() -> list[str]:
        state = states[len(rests)]
        if isinstance(state, Exception):
            raise state
        return state

    wait(left_now, said.append, lambda: rests.append(None), unanswered=3)
    assert said == ["waits for the database: connection refused\n", "waits for migrations: 0014_pre_clocks\n"]
    assert len(rests) == 3


def test_who_tells_of_fires_waits_for_no_database_that_is_away_but_for_its_tables() -> None:
    answers: list[Exception | list[str]] = [
        OSError("no route"), ["0014_pre_clocks"], OSError("no route"), OSError("no route"),
    ]  # fmt: skip
    asked: list[None] = []

    def left_now() -> list[str]:
        asked.append(None)
        answer = answers[len(asked) - 1]
        if isinstance(answer, Exception):
            raise answer
        return answer

    wait(left_now, lambda _: None, lambda: None, unanswered=2)
    assert len(asked) == 4

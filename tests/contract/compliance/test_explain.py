"""`explain`: a published figure in words."""

import io
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.compliance.cli import explain
from services.runtime.postgres import Pool, open_pool
from tests.contract.compliance.closings import Archived, closing, sent, until_done
from tests.contract.compliance.test_closing import FIRST_HALF_MS, HOUR, PUBLISHING, district, late


@pytest.fixture
async def pool(migrated_database: str) -> AsyncIterator[Pool]:
    async with open_pool(migrated_database, "test", 1, 3) as opened:
        yield opened


def told(*arguments: str) -> tuple[int, str, str]:
    out, errors = io.StringIO(), io.StringIO()
    return explain.run(list(arguments), out, errors), out.getvalue(), errors.getvalue()


async def test_a_figure_is_explained_with_its_target_revisions_and_the_ask_that_computes_it_again(
    pool: Pool, migrated_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archived, seen = Archived(tmp_path / "archive"), district(tmp_path)
    archived.put(sent(seen, PUBLISHING))
    await until_done(closing(pool, archived.root, 4 * HOUR))
    archived.put([each for each in sent(late(seen), PUBLISHING) if each.timestamp_ms > FIRST_HALF_MS])
    await until_done(closing(pool, archived.root, 4 * HOUR))
    monkeypatch.setenv("FIRENET_DATABASE_DSN", migrated_database)

    day = ("time_weighted_networking_rate", "S1", "day", "2026-03-10")
    code, said, _ = told(*day, "--slice", "district=sample")

    assert code == 0
    first, *lines = said.splitlines()
    assert first == ("time_weighted_networking_rate of S1, district sample, day from 2026-03-10 until 2026-03-11")
    assert any(line.startswith("  target T01: >= 1, due 12-31") for line in lines)
    assert any(line.startswith("  non_compliant: high_below_target") for line in lines)
    revisions = [line for line in lines if line.startswith("  revision ")]
    assert [line.split(",")[0] for line in revisions] == ["  revision 1", "  revision 2"]
    assert any(line.startswith("    numerator: ") for line in lines), "what the revision changed"
    assert '"slice": {"district": "sample"}' in lines[-1]


def test_a_figure_that_is_not_published_and_a_slice_of_no_kind(
    migrated_database: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FIRENET_DATABASE_DSN", migrated_database)
    code, said, why = told("coverage", "S1", "month", "2026-03-10", "--slice", "town=T001")
    assert (code, said) == (2, "")
    assert why == "no figure is published of coverage of S1, town T001, month from 2026-03-01 until 2026-04-01\n"
    with pytest.raises(SystemExit):
        told("coverage", "S1", "month", "2026-03-10", "--slice", "village=V1")
    assert "district" in capsys.readouterr().err

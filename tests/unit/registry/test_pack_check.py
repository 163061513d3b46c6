"""`check FILE...`: packs before anybody imports them."""

import io
from pathlib import Path

import pytest

from services.registry.adapters.files import LocalFiles
from services.registry.adapters.printing import Printer
from services.registry.worker.checking import PackCheck
from tests.unit.registry.builders import PACK_FILE

SAMPLE = PACK_FILE.read_text(encoding="utf-8")


def check(folder: Path, *texts: str, listed: int = 200, name: str = "pack") -> tuple[int, list[str]]:
    """Return exit code and lines for packs of these texts, in files pack1.yaml and on."""
    paths = [folder / f"{name}{number}.yaml" for number, _ in enumerate(texts, 1)]
    for path, text in zip(paths, texts, strict=True):
        path.write_text(text, encoding="utf-8")
    out = io.StringIO()
    code = Printer(out).packs_checked(PackCheck(files=LocalFiles(), listed=listed).check(list(map(str, paths))))
    return code, out.getvalue().replace(f"{folder}/", "").splitlines()


def test_a_whole_pack_has_nothing_wrong(tmp_path: Path) -> None:
    assert check(tmp_path, SAMPLE) == (0, ["pack1.yaml: nothing wrong"])


def test_an_error_is_one_sentence_with_line_and_column(tmp_path: Path) -> None:
    code, lines = check(tmp_path, SAMPLE.replace("lead: education,", "lead: educashun,"))
    line = SAMPLE[: SAMPLE.index("lead: education,")].count("\n") + 1
    sentence = "expected the code of a body among `departments` (did you mean education?); found educashun"
    assert (code, lines) == (
        1, [f"pack1.yaml, line {line}, column 6, routes.0.lead: {sentence}", "pack1.yaml: 1 errors"],
    )  # fmt: skip


def test_a_kind_that_is_none_has_no_time_after_which_it_is_nobodys(tmp_path: Path) -> None:
    _, lines = check(tmp_path, SAMPLE.replace("un_acknowledge_s: {fire:", "un_acknowledge_s: {fyre:"))
    assert lines[0].endswith("un_acknowledge_s.fyre: expected a kind of finding (did you mean fire?); found fyre")


def test_a_pack_with_a_chinese_name_is_answered_in_chinese(tmp_path: Path) -> None:
    _, lines = check(tmp_path, SAMPLE.replace("misses: 3", "misses: 0", 1), name="政策包")
    assert lines[0].endswith("（profiles.CN-FAST.misses）：应为不小于 1 的数；实际为0")


def test_errors_beyond_the_bound_are_counted(tmp_path: Path) -> None:
    code, lines = check(tmp_path, SAMPLE.replace("clause:", "claus:"), listed=3)
    assert (code, len(lines)) == (1, 4)
    assert "more not listed" in lines[-1]


OTHER = SAMPLE.replace("pack_id: sample-2026", "pack_id: other")


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("second", "wrong"),
    [
        (OTHER, "days that no other pack of the district has (sample-2026 holds from 2026-01-01 to 2026-12-31)"),
        (SAMPLE, "one file for version 1 of sample-2026"),
        (SAMPLE.replace("\nversion: 1\n", "\nversion: 2\n"), None),
        (OTHER.replace("district: sample", "district: elsewhere"), None),
        (OTHER.replace("valid_from: 2026", "valid_from: 2027").replace("valid_to: 2026", "valid_to: 2027"), None),
        (OTHER.replace("valid_from: 2026-01-01", "valid_from: 2026-12-31"), "days that no other pack"),
    ],
    ids=["same days", "same version twice", "later version", "other district", "next year", "one day too early"],
)
def test_two_packs_of_a_district_must_not_overlap(tmp_path: Path, second: str, wrong: str | None) -> None:
    code, lines = check(tmp_path, SAMPLE, second)
    assert code == (wrong is not None)
    if wrong is not None:
        assert lines[1].startswith(f"pack2.yaml, line 15, column 1, valid_from: expected {wrong}")


def test_a_broken_file_does_not_hide_what_is_wrong_with_the_next(tmp_path: Path) -> None:
    code, lines = check(tmp_path, "a: [", SAMPLE.replace("version: 1", "version: none", 1))
    assert code == 1
    assert [line.split(",")[0] for line in lines if ", line " in line] == ["pack1.yaml", "pack2.yaml"]

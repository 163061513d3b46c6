"""The generated reference is what the code says, on every machine, and gives no secret away."""

import re
from pathlib import Path

import pytest
from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from deploy import reference
from services.runtime.settings import ServiceSettings


class Sample(ServiceSettings):
    model_config = SettingsConfigDict(env_prefix="SAMPLE_")

    key: SecretStr = Field(default=SecretStr("hunter2"), description="opens a | b")
    spare: SecretStr | None = Field(default=None, description="may be missing")
    host: str = Field(default_factory=lambda: "this-machine", max_length=8, description="differs")
    share: float = Field(ge=0, lt=1, description="a part")


@pytest.mark.thorough
def test_committed_files_are_what_the_code_says() -> None:
    assert reference.differing() == []


@pytest.mark.thorough
def test_check_says_in_one_line_what_differs_and_writing_repairs_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert reference.main([], tmp_path) == 0
    assert reference.main(["--check"], tmp_path) == 0
    assert capsys.readouterr().err == ""
    (tmp_path / "settings.md").write_text("")
    (tmp_path / "old.md").write_text("")
    (tmp_path / "metrics.md").unlink()
    assert reference.main(["--check"], tmp_path) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    for name in ("settings.md", "metrics.md", "old.md"):
        assert name in said
    assert reference.main([], tmp_path) == 0
    assert reference.main(["--check"], tmp_path) == 0


def test_unknown_arguments_are_bad_usage(tmp_path: Path) -> None:
    assert reference.main(["--chekc"], tmp_path) == 2
    assert not list(tmp_path.iterdir())


def test_a_setting_says_its_variable_default_and_bounds_but_no_secret_and_nothing_of_this_machine() -> None:
    own = {name: Sample.model_fields[name] for name in ("key", "spare", "host", "share")}
    assert list(reference.setting_rows(Sample, own)) == [
        ("`SAMPLE_KEY`", "secret text", "not shown", "", "opens a | b"),
        ("`SAMPLE_SPARE`", "secret text", "none", "", "may be missing"),
        ("`SAMPLE_HOST`", "text", "made at the start", "length <= 8", "differs"),
        ("`SAMPLE_SHARE`", "number", "required", ">= 0, < 1", "a part"),
    ]


def test_a_setting_of_an_unknown_type_is_refused_instead_of_guessed() -> None:
    with pytest.raises(reference.NotPlain, match="bytes"):
        reference.value_of(bytes)


def test_a_bar_in_a_cell_does_not_end_it() -> None:
    assert reference.table(("a",), [("x | y",)]).splitlines()[-1] == r"| x \| y |"


def test_every_setting_is_described() -> None:
    rows = [line for line in reference.settings_page().splitlines() if line.startswith("| `")]
    assert len(rows) > 80
    assert [row for row in rows if row.endswith("|  |")] == []


def test_metrics_are_listed_under_the_name_that_prometheus_shows_once_each() -> None:
    listed = re.findall(r"^\| `(\w+)` \| (\w+) \| (.*?) \|", reference.metrics_page(), re.MULTILINE)
    assert len(listed) > 60
    assert len({name for name, _, _ in listed}) == len(listed)
    assert all(name.endswith("_total") == (kind == "counter") for name, kind, _ in listed)
    assert ("firenet_ingest_refused_total", "counter", "`lane`, `reason`") in listed, "computed at the scrape"
    assert ("firenet_rules_units", "gauge", "`department`, `connection`") in listed, "computed, and nothing to show"


def test_events_are_found_with_level_and_fields() -> None:
    source = (
        "log = get_logger()\n"
        "log.info('begun', a=1, **more)\n"
        "get_logger().exception('fell', b=2)\n"
        "get_logger().error('ended' if x else 'went_on', exc_info=e, **{'c': 3})\n"
        "other.info('no event of ours')\n"
    )
    assert sorted(reference.events_of(source, "m.py")) == [
        ("begun", "info", ("a", "**more"), "m.py"),
        ("ended", "error", ("...",), "m.py"),
        ("fell", "error", ("b",), "m.py"),
        ("went_on", "error", ("...",), "m.py"),
    ]


@pytest.mark.thorough
def test_events_of_a_worker_that_was_handed_its_logger_have_the_level_that_it_was_handed() -> None:
    assert reference.handed_on(["Worker(log=log.info)"]) == "info"
    assert reference.handed_on(["Worker(log=write)", "other = 1"]) is None
    assert list(reference.events_by("info", "self.log('claimed', partition=1)", "m.py")) == [
        ("claimed", "info", ("partition",), "m.py")
    ]
    assert "`partition_claimed` | info |" in reference.events_page()


@pytest.mark.parametrize("call", ["info(name)", "info(f'x_{y}')", "info('A sentence.')", "info()"])
def test_an_event_whose_name_cannot_be_searched_for_is_refused(call: str) -> None:
    with pytest.raises(reference.NotPlain, match=r"m\.py:1"):
        list(reference.events_of(f"get_logger().{call}", "m.py"))

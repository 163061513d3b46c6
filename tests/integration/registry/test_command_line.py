"""The command line itself: exit codes, sentences, automatic publishing."""

import os
import pty
import secrets
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from deploy.stack.ports import free_ports
from schemas.topics import REGISTRY, all_topics
from services.registry.adapters import kafka
from services.registry.app import arguments
from services.registry.domain.errors import TopicRefused
from services.runtime.kafka import TopicSpec, ensure_topics
from tests.contract.registry.test_bus import read_topic
from tests.unit.registry.builders import DEPARTMENTS_CSV, PACK_FILE, ROOT, unit_row, units_csv

LETTERS = str.maketrans("0123456789", "ghijklmnop")


class Shell:
    def __init__(self, database: str, kafka: str) -> None:
        self._environment = {**os.environ, "FIRENET_DATABASE_DSN": database, "FIRENET_KAFKA_BOOTSTRAP": kafka}

    def run(self, *arguments: str | bytes, encoding: str = "utf-8") -> tuple[int, str]:
        """Return the exit code and everything printed on a terminal of that encoding."""
        done = subprocess.run(
            [sys.executable, "-m", "services.registry", *arguments], encoding=encoding,
            env=self._environment | {"PYTHONIOENCODING": encoding},
            cwd=ROOT, capture_output=True, timeout=120, check=False,
        )  # fmt: skip
        return done.returncode, done.stdout + done.stderr

    def run_at_terminal(self, answer: str, *arguments: str) -> tuple[int, str]:
        """Return the exit code and what a person sees who answers at once."""
        ours, theirs = pty.openpty()
        with subprocess.Popen(
            [sys.executable, "-m", "services.registry", *arguments],
            env=self._environment | {"PYTHONIOENCODING": "utf-8"}, cwd=ROOT, stdin=theirs, stdout=theirs, stderr=theirs,
        ) as process:  # fmt: skip
            os.close(theirs)
            os.write(ours, answer.encode())
            seen = bytearray()
            with suppress(OSError):  # how a terminal says that the other end is gone
                while piece := os.read(ours, 4096):
                    seen += piece
            code = process.wait(120)
        os.close(ours)
        return code, seen.decode(errors="replace")

    def run_into(self, out: str, *arguments: str) -> tuple[int, str]:
        """Return the exit code and what was said of errors while the answer goes where the shell says."""
        done = subprocess.run(
            ["sh", "-c", f'"$@" {out}', "sh", sys.executable, "-m", "services.registry", *arguments],
            cwd=ROOT, env=self._environment, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        return done.returncode, done.stdout + done.stderr


@pytest.fixture
def shell(migrated_database: str, kafka_broker: str) -> Shell:
    return Shell(migrated_database, kafka_broker)


def test_without_kafka_a_file_is_taken_and_the_sentence_says_so(migrated_database: str, tmp_path: Path) -> None:
    (tmp_path / "departments.csv").write_text(DEPARTMENTS_CSV, encoding="utf-8")
    (nobody,) = free_ports(1)
    code, said = Shell(migrated_database, f"127.0.0.1:{nobody}").run("import", str(tmp_path / "departments.csv"))
    assert code == 1
    assert "1 changed" in said
    assert said.endswith("what was taken stays taken, `publish` hands it on later\n")


async def test_from_nothing_to_the_topic(shell: Shell, kafka_broker: str, tmp_path: Path) -> None:
    unit_id = f"U-{secrets.token_hex(4)}"
    (tmp_path / "departments.csv").write_text(DEPARTMENTS_CSV, encoding="gb18030")
    (tmp_path / "units.csv").write_text(units_csv(unit_row(unit_id)), encoding="utf-8-sig")
    assert shell.run("topics")[0] == 0
    assert shell.run("topics") == (0, "topics created: none, all are there\n")
    assert shell.run("pack", str(PACK_FILE))[0] == 0
    code, said = shell.run("import", str(tmp_path / "units.csv"), str(tmp_path / "departments.csv"))
    assert code == 0, said
    assert "published: 2 entities" in said
    assert f"unit:{unit_id}" in await read_topic(kafka_broker, REGISTRY)
    assert "published: nothing new" in shell.run("publish")[1]
    code, said = shell.run("explain", unit_id)
    assert code == 0
    assert "卫生健康局" in said
    assert shell.run("show", "unit", unit_id)[0] == 0
    assert unit_id in shell.run("list", "unit")[1]
    code, said = shell.run("check")
    assert code == 1
    assert "no contact for body health" in said


def test_registered_components_are_kept_and_explained(shell: Shell, tmp_path: Path) -> None:
    unit_id = f"U-{secrets.token_hex(4)}"
    gateway_id = f"G-{unit_id}"
    (tmp_path / "departments.csv").write_text(DEPARTMENTS_CSV, encoding="utf-8")
    (tmp_path / "units.csv").write_text(units_csv(unit_row(unit_id)), encoding="utf-8")
    rows = f"装置编号,单位编号,运营商,部件数\n{gateway_id},{unit_id},carrier-a,860\n"
    (tmp_path / "gateways.csv").write_text(rows, encoding="utf-8")
    shell.run("pack", "--no-publish", str(PACK_FILE))
    code, said = shell.run("import", "--no-publish", *map(str, sorted(tmp_path.glob("*.csv"))))
    assert code == 0, said
    assert '"points": 860' in shell.run("show", "gateway", gateway_id)[1]
    assert f"{gateway_id} (carrier-a), 860 components registered" in shell.run("explain", unit_id)[1]


def test_refusal_is_exit_code_1_with_file_row_and_column(shell: Shell, tmp_path: Path) -> None:
    shell.run("pack", "--no-publish", str(PACK_FILE))
    path = tmp_path / "units.csv"
    path.write_text(units_csv(unit_row(key_unit="也许")), encoding="utf-8")
    code, said = shell.run("import", "--no-publish", str(path))
    assert code == 1
    assert f"{path}, row 2, column key_unit: expected yes or no (是 or 否); found 也许" in said
    assert "nothing of it was taken" in said


FIELD = ROOT / "tests" / "unit" / "registry" / "field"


def test_a_file_of_the_field_is_answered_with_its_rows_headings_and_language(shell: Shell) -> None:
    shell.run("pack", "--no-publish", str(PACK_FILE))
    assert shell.run("import", "--no-publish", str(FIELD / "base-departments.csv"))[0] == 0
    code, said = shell.run("import", "--no-publish", str(FIELD / "f05a-newline-units.csv"))
    assert code == 1
    assert "第 2 行“单位名称”列：应为单行文字（单元格内有换行）" in said
    assert "第 3 行“地址”列：应为单行文字（单元格内有换行）" in said
    assert said.endswith("未导入，共 2 处问题；文件内容均未写入\n")


def test_a_name_in_gbk_that_is_utf_8_too_is_read_as_chinese_and_said(shell: Shell) -> None:
    shell.run("pack", "--no-publish", str(PACK_FILE))
    files = [str(FIELD / f"base-{kind}.csv") for kind in ("departments", "units")]
    assert shell.run("import", "--no-publish", *files)[0] == 0
    path = str(FIELD / "f01d-english-headings-gbk-contacts.csv")
    code, said = shell.run("import", "--no-publish", path)
    assert (code, "read as gb18030 ('卢伟'), though it could be utf-8 ('¬ΰ')" in said) == (0, True), said
    assert '"name": "卢伟"' in shell.run("show", "contact", "C-amb")[1]
    assert shell.run("import", "--no-publish", "--encoding", "utf-8", path)[0] == 0
    assert '"name": "¬ΰ"' in shell.run("show", "contact", "C-amb")[1]


def test_a_twin_of_an_id_is_refused_until_somebody_says_that_it_is_meant(shell: Shell, tmp_path: Path) -> None:
    shell.run("pack", "--no-publish", str(PACK_FILE))
    (tmp_path / "departments.csv").write_text(DEPARTMENTS_CSV, encoding="utf-8")
    unit_id = f"U-{secrets.token_hex(4)}-a"
    (tmp_path / "units.csv").write_text(units_csv(unit_row(unit_id)), encoding="utf-8")
    files = [str(tmp_path / name) for name in ("departments.csv", "units.csv")]
    assert shell.run("import", "--no-publish", *files)[0] == 0
    (tmp_path / "units.csv").write_text(units_csv(unit_row(unit_id.upper())), encoding="utf-8")
    code, said = shell.run("import", "--no-publish", files[1])
    assert code == 1
    assert f"an id that cannot be taken for {unit_id} (in the register)" in said
    assert "not in the register" in shell.run("show", "unit", unit_id.upper())[1]
    assert shell.run("import", "--no-publish", "--yes", files[1])[0] == 0
    assert shell.run("show", "unit", unit_id.upper())[0] == 0


@pytest.mark.parametrize(("answer", "code", "taken"), [("y\n", 0, True), ("\n", 1, False)])
def test_at_a_terminal_the_import_asks(shell: Shell, tmp_path: Path, answer: str, code: int, taken: bool) -> None:
    shell.run("pack", "--no-publish", str(PACK_FILE))
    (tmp_path / "departments.csv").write_text(DEPARTMENTS_CSV, encoding="utf-8")
    unit_id = f"U-{secrets.token_hex(4)}-a"
    rows = units_csv(unit_row(unit_id), unit_row(unit_id.upper()))
    (tmp_path / "units.csv").write_text(rows, encoding="utf-8")
    assert shell.run("import", "--no-publish", str(tmp_path / "departments.csv"))[0] == 0
    ended, said = shell.run_at_terminal(answer, "import", "--no-publish", str(tmp_path / "units.csv"))
    assert "take these ids as different ones?" in said
    assert (ended, shell.run("show", "unit", unit_id.upper())[0] == 0) == (code, taken), said


def test_a_terminal_and_a_file_name_in_gbk_are_no_failure(shell: Shell, tmp_path: Path) -> None:
    path = os.fsencode(tmp_path) + "/部门.csv".encode("gbk")
    Path(os.fsdecode(path)).write_text(DEPARTMENTS_CSV.replace("云澜街道", "\U00020bb7野街道"), encoding="utf-8")
    code, said = shell.run("import", "--no-publish", "--kind", "departments", path, encoding="gbk")
    assert (code, "1 changed" in said) == (0, True), said
    code, said = shell.run("show", "department", "T001", encoding="gbk")
    assert (code, "\\U00020bb7野街道" in said) == (0, True), said


@pytest.mark.parametrize("strange", [os.fsdecode("单位".encode("gbk")), "x" * 70_000], ids=["no text", "endless"])
@pytest.mark.parametrize("before", [["credentials", "revoke", "--gateway"], ["show", "unit"], ["explain"]])
def test_ids_that_no_register_holds_are_bad_usage(before: list[str], strange: str) -> None:
    with pytest.raises(SystemExit) as ended:
        arguments([*before, strange])
    assert ended.value.code == 2


def test_an_answer_that_nobody_takes_is_no_traceback(shell: Shell) -> None:
    assert shell.run_into("> /dev/full", "check") == (1, "stopped: No space left on device\n")
    assert shell.run_into("| true", "check")[1] == ""


@pytest.mark.parametrize("words", [[], ["import"], ["fly"], ["show", "unit"], ["import", "--kind", "x", "y.csv"]])
def test_bad_usage_is_exit_code_2(words: list[str]) -> None:
    assert Shell("", "").run(*words)[0] == 2


def test_dead_database_and_dead_kafka_are_sentences(shell: Shell) -> None:
    dead = Shell("postgresql://nobody:hidden-word@127.0.0.1:1/none", "127.0.0.1:1")
    for command in ("publish", "topics"):
        code, said = dead.run(command)
        assert code == 1
        assert "Traceback" not in said
        assert "hidden-word" not in said


async def test_topic_with_other_partitions_is_refused(kafka_broker: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys would change place."""
    name = f"firenet.t{secrets.token_hex(4).translate(LETTERS)}.v1"
    await ensure_topics(kafka_broker, [TopicSpec(name, 2, True, None, 1_048_576)])
    wanted = all_topics()["registry"].model_copy(update={"name": name})
    monkeypatch.setattr(kafka, "all_topics", lambda: {"one": wanted})
    with pytest.raises(TopicRefused, match=f"{name} has 2 partitions, not 3"):
        await kafka.KafkaBus(bootstrap=kafka_broker).create_topics()

"""What stands in the archive, read back as one log, gives the answers of the worked examples, byte for byte."""

import gzip
import io
import json
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path

import pytest

from schemas import codec
from schemas.inputs import json_line, read_packs
from schemas.registry import PackRecord, PackVersion, RegistryData, RegistryEvent
from schemas.topics import REGISTRY, SIGNALS
from services.compliance.adapters.file_archive import FileArchive
from services.compliance.cli import log
from services.compliance.domain.formulas.catalogue import CATALOGUE
from services.compliance.ports import LogRecord, Place
from tests.contract.compliance.archived import Sent, records, span
from tests.contract.compliance.pipe import answer
from tests.contract.compliance.test_examples import EXAMPLES
from tests.fakes.clock import ManualClock

STEADY = next(example for example in EXAMPLES if example.name == "steady")
WHOLE = ["--after-s", "0"]


def write(root: Path, sent: list[Sent], at_once: int = 7) -> None:
    """Write `sent` as the service does, with a file finished every few records."""
    clock = ManualClock(datetime(2027, 1, 1, tzinfo=UTC))
    archive = FileArchive(root, roll_bytes=3000, roll_s=3600, min_free_bytes=0, clock=clock)
    by_place: dict[Place, list[LogRecord]] = defaultdict(list)
    for each in sent:
        held = by_place[Place(each.topic, each.partition)]
        held.append(LogRecord(len(held), each.timestamp_ms, None, each.value))
    archive.open(dict.fromkeys(by_place))
    for place, held in sorted(by_place.items(), key=lambda each: each[0].topic == SIGNALS):
        for start in range(0, len(held), at_once):
            archive.append(place, start, held[start : start + at_once])
            if archive.due():
                archive.finish()
    archive.close()


def read(root: Path, *arguments: str) -> tuple[int, bytes, str]:
    out, errors = io.BytesIO(), io.StringIO()
    code = log.run([*arguments, "--archive", str(root)], out, errors)
    return code, out.getvalue(), errors.getvalue()


def expected(example: Path) -> tuple[bytes, str]:
    """Return the ask and the answer, as far as it is offered what is asked."""
    ask = json.loads((example / "ASK.json").read_text("utf-8"))
    told = json.loads((example / "ANSWER.json").read_text("utf-8"))
    offered = [n for n, figure in enumerate(ask.get("figures", [])) if figure["metric"] in CATALOGUE]
    ask["figures"], told["figures"] = ([each["figures"][n] for n in offered] for each in (ask, told))
    for name in ("blocking", "forecast", "revisions"):
        ask[name] = told[name] = []
    return json.dumps(ask).encode(), json_line(told)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_an_archived_example_is_answered_byte_for_byte(example: Path, tmp_path: Path) -> None:
    write(tmp_path / "archive", records(example))
    ask, told = expected(example)
    code, lines, said = read(tmp_path / "archive", *span(example), *WHOLE)
    assert (code, said) == (0, "")
    assert answer(example, tmp_path, log=lines, registry=b"", ask=ask) == (0, told.encode())


def test_a_pack_on_the_registry_topic_is_passed_over(tmp_path: Path) -> None:
    (pack,) = read_packs([STEADY / "PACK.yaml"])
    version = PackVersion(valid_from=pack.valid_from, recorded_at=datetime(2026, 1, 1, tzinfo=UTC), pack=pack)
    data = RegistryData(record=PackRecord(id=pack.pack_id, versions=(version,)))
    event = RegistryEvent(id="p", source="/registry", subject="pack:p", time=version.recorded_at, data=data)
    sent = records(STEADY)
    write(tmp_path / "archive", [Sent(REGISTRY, 0, codec.registry.encode(event), sent[0].timestamp_ms), *sent])
    ask, told = expected(STEADY)
    lines = read(tmp_path / "archive", *span(STEADY), *WHOLE)[1]
    assert b'"kind":"pack"' in lines
    assert answer(STEADY, tmp_path, log=lines, registry=b"", ask=ask) == (0, told.encode())


def test_the_registry_can_be_had_as_a_file(tmp_path: Path) -> None:
    write(tmp_path / "archive", records(STEADY))
    out = tmp_path / "registry.jsonl"
    assert read(tmp_path / "archive", *span(STEADY), "--registry-out", str(out))[0] == 0
    wanted = (STEADY / "REGISTRY.jsonl").read_bytes().splitlines()
    assert sorted(out.read_bytes().splitlines()) == sorted(wanted)


def test_the_log_ends_where_the_first_partition_of_the_signals_does(tmp_path: Path) -> None:
    sent = records(STEADY)
    cut = sent[len(sent) * 2 // 3].timestamp_ms
    write(
        tmp_path, [each for each in sent if each.partition != 3 or each.topic == REGISTRY or each.timestamp_ms <= cut]
    )
    code, lines, said = read(tmp_path, *span(STEADY), *WHOLE)
    whole = datetime.fromtimestamp(cut // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    assert (code, said) == (0, f"the archive is whole until {whole} only\n")
    times = [json.loads(line)["recorded_at"] for line in lines.splitlines()]
    assert times == sorted(times)
    assert times[-1] < whole


def test_nothing_is_said_of_an_archive_without_a_partition(tmp_path: Path) -> None:
    write(tmp_path, records(STEADY))
    (tmp_path / SIGNALS / "12").mkdir()
    code, lines, _ = read(tmp_path, *span(STEADY))
    assert (code, json.loads(lines)["error"]["code"]) == (5, "bad_log")


def test_a_missing_file_is_an_error_unless_gaps_are_allowed(tmp_path: Path) -> None:
    write(tmp_path, records(STEADY), at_once=3)
    gone = sorted((tmp_path / SIGNALS / "0").glob("*/*.gz"))[1]
    gone.unlink()
    code, lines, _ = read(tmp_path, *span(STEADY))
    assert code == 5
    error = json.loads(lines.splitlines()[-1])["error"]
    assert error["where"].startswith(f"{SIGNALS}[0]: after offset ")
    assert read(tmp_path, *span(STEADY), "--despite-gaps")[0] == 0


def test_a_damaged_file_is_an_error_that_names_it(tmp_path: Path) -> None:
    write(tmp_path, records(STEADY))
    path = sorted((tmp_path / SIGNALS / "5").glob("*/*.gz"))[0]
    path.write_bytes(path.read_bytes()[:-30])
    code, lines, _ = read(tmp_path, *span(STEADY))
    assert code == 5
    assert path.name in json.loads(lines.splitlines()[-1])["error"]["where"]


def test_what_is_no_event_is_left_out_and_said(tmp_path: Path) -> None:
    sent = records(STEADY)
    place = sent[-1]
    odd = [Sent(SIGNALS, place.partition, value, sent[20].timestamp_ms) for value in (b"{", b'{"type":"other"}')]
    write(tmp_path, [*sent[:20], *odd, *sent[20:]])
    code, lines, said = read(tmp_path, *span(STEADY), *WHOLE)
    write(tmp_path / "clean", sent)
    assert code == 0
    assert said == f"{SIGNALS}: 2 records are no events and left out, as rules does\n"
    assert lines == read(tmp_path / "clean", *span(STEADY), *WHOLE)[1]


def test_a_shorter_look_back_leaves_out_signals_and_never_the_registry(tmp_path: Path) -> None:
    sent = records(STEADY)
    early = [each._replace(timestamp_ms=each.timestamp_ms - 3 * 86_400_000) for each in sent[:-12]]
    write(tmp_path, [*early, *sent])
    whole, cut = (read(tmp_path, *span(STEADY), *WHOLE, *more)[1] for more in ([], ["--before-days", "1"]))
    topics = [[json.loads(line)["topic"] for line in lines.splitlines()] for lines in (whole, cut)]
    assert topics[0].count(REGISTRY) == topics[1].count(REGISTRY) > 0
    assert topics[1].count(SIGNALS) * 2 == topics[0].count(SIGNALS)


@pytest.mark.parametrize("window", [("2026-03-10", "2026-03-10"), ("yesterday", "2026-03-10"), ("1", "2")])
def test_a_window_that_is_none_is_a_bad_ask(tmp_path: Path, window: tuple[str, str]) -> None:
    code, lines, _ = read(tmp_path, *window)
    assert (code, json.loads(lines)["error"]["code"]) == (2, "bad_ask")


def test_files_are_plain_gzip(tmp_path: Path) -> None:
    write(tmp_path, records(STEADY))
    for path in tmp_path.glob("*/*/*/*.gz"):
        assert gzip.decompress(path.read_bytes()).endswith(b"}\n")

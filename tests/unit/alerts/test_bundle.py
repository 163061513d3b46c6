"""The evidence bundle: in order as it was made, and not in order after anything in it was changed."""

import json
import subprocess
import sys
import zipfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest

from services.alerts.adapters import bundle_check
from services.alerts.adapters.bundle_check import check
from services.alerts.adapters.evidence_bundle import bundle_files, index_page, write_bundle
from services.alerts.domain.audit import chain as chain_module
from services.alerts.domain.audit.bundle import MANIFEST, CaseRecord, NoBundle, part_of
from services.alerts.domain.audit.chain import GENESIS, Link, Verified, chain, verify
from services.alerts.domain.audit.entry import AuditEntry, text_hash
from services.alerts.domain.ids import CaseId

NOW = datetime(2026, 11, 29, 8, 0, tzinfo=UTC)
CASE = CaseId("C1")
HOSTILE = "<script>alert(1)</script>"


def entry(number: int, action: str, case: str | None = CASE, **detail: str) -> AuditEntry:
    return AuditEntry(NOW + timedelta(seconds=number), "alerts", action, CaseId(case) if case else None, {**detail})


ENTRIES = [
    entry(0, "case_opened", "C0"),
    entry(1, "case_opened"),
    entry(2, "step_taken", "C0", who="nobody else may read this"),
    entry(3, "notice_accepted", notice="n1", text_sha256=text_hash("火警", "第一人民医院")),
    entry(4, "case_closed"),
    entry(5, "case_closed", "C0"),
]
LINKS = chain(ENTRIES, 0, GENESIS)


def record() -> CaseRecord:
    case = {
        "case_id": CASE, "kind": "fire", "unit_name": HOSTILE, "subject_id": "U1", "effective_at": NOW,
        "detected_at": NOW, "closed_at": None, "close_reason": None, "clause": "003 street 6", "pack_id": "p",
        "pack_version": 1, "acknowledged_at": NOW, "acknowledged_by": "centre", "acknowledged_note": None,
    }  # fmt: skip
    notice = {
        "notice_id": "n1", "step": "H0", "body_code": "centre", "address": "a@firenet-demo.cn", "channel": "email",
        "subject": "火警", "body": "第一人民医院", "html": "<p>x</p>", "document_number": None, "state": "accepted",
        "reason": None, "attempts": 1, "ended_at": NOW,
    }  # fmt: skip
    return CaseRecord(case, steps=[], clocks=[], notices=[notice], receipts=[], requests=[])


def files(given: CaseRecord | None = None) -> dict[str, bytes]:
    return bundle_files(given or record(), part_of(LINKS[1:5], CASE), Verified(6, LINKS[-1].hash), NOW)


def packed(folder: Path, content: dict[str, bytes]) -> Path:
    path = folder / "bundle.zip"
    write_bundle(path, content)
    return path


def sealed_again(content: dict[str, bytes], name: str, body: bytes) -> dict[str, bytes]:
    """Return the bundle of a forger who knows about the manifest."""
    forged = {**content, name: body}
    manifest = json.loads(content[MANIFEST])
    manifest["files"] = {
        each: {"sha256": sha256(text).hexdigest(), "bytes": len(text)}
        for each, text in forged.items()
        if each != MANIFEST
    }
    return {**forged, MANIFEST: json.dumps(manifest).encode()}


def test_the_index_says_what_was_found_and_why() -> None:
    entries = [
        entry(0, "case_opened"),
        entry(1, "verified", finding="true_alarm", note=HOSTILE),  # of a version before
        entry(2, "verified", finding="false_alarm", note="", cause="fumes"),
    ]
    part = part_of(chain(entries, 0, GENESIS), CASE)
    page = index_page(record(), part, NOW)
    assert "误报 False alarm</td><td>环境干扰（蒸汽、粉尘、油烟） Steam, dust or cooking fumes<" in page
    assert "真警 True alarm</td><td>—<" in page
    assert HOSTILE not in page


def test_both_sides_call_the_manifest_alike() -> None:
    assert bundle_check.MANIFEST == MANIFEST


def test_a_bundle_is_checked_by_its_own_script_without_us(tmp_path: Path) -> None:
    path = packed(tmp_path, files())
    with zipfile.ZipFile(path) as bundle:
        bundle.extract("verify.py", tmp_path)
    done = subprocess.run(
        [sys.executable, "-I", str(tmp_path / "verify.py"), str(path)], capture_output=True, text=True, cwd="/"
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "in order" in done.stdout
    assert check(path) == []


def test_entries_of_other_cases_are_proven_and_not_shown() -> None:
    everything = b"".join(files().values())
    assert b"nobody else may read this" not in everything
    assert b"C0" not in files()["audit.json"]


def test_the_same_case_makes_the_same_bytes(tmp_path: Path) -> None:
    one, other = tmp_path / "one.zip", tmp_path / "other.zip"
    write_bundle(one, files())
    write_bundle(other, files())
    assert one.read_bytes() == other.read_bytes()


@pytest.mark.parametrize("name", [name for name in files() if name != MANIFEST])
def test_whatever_file_is_changed_it_is_said(name: str, tmp_path: Path) -> None:
    assert check(packed(tmp_path, files() | {name: files()[name] + b" "})) == [f"{name}: was changed"]


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("audit.json", "case_closed", "case_opened"),
        ("audit.json", "2026-11-29T08:00:01", "2026-11-29T07:00:01"),
        ("chain.json", "[3,", "[9,"),
        ("notices.json", "第一人民医院", "第二人民医院"),
        ("notices.json", '"n1"', '"n2"'),
    ],
)
def test_a_forger_who_makes_the_manifest_anew_is_found_by_the_chain(
    name: str, old: str, new: str, tmp_path: Path
) -> None:
    text = files()[name].decode()
    assert old in text
    assert check(packed(tmp_path, sealed_again(files(), name, text.replace(old, new, 1).encode()))) != []


def test_an_entry_that_is_left_out_of_the_chain_is_found(tmp_path: Path) -> None:
    digests = json.loads(files()["chain.json"])
    assert check(packed(tmp_path, sealed_again(files(), "chain.json", json.dumps(digests[:-1]).encode()))) == [
        "the chain has gaps"
    ]


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 no zip", b"{}"])
def test_what_is_no_bundle_is_said_to_be_none(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    path.write_bytes(content)
    assert check(path) != []
    assert check(tmp_path / "none.zip") != []


@pytest.mark.parametrize(
    "content", [{}, {MANIFEST: b"[]"}, {MANIFEST: b"{"}, {MANIFEST: b'{"files": {}, "chain": {}}'}]
)
def test_a_zip_of_something_else_is_said_to_be_none(content: dict[str, bytes], tmp_path: Path) -> None:
    assert check(packed(tmp_path, content)) != []


def test_an_older_bundle_is_never_written_over(tmp_path: Path) -> None:
    path = packed(tmp_path, files())
    with pytest.raises(FileExistsError):
        write_bundle(path, {"x": b""})
    assert check(path) == []
    assert list(tmp_path.iterdir()) == [path]


def test_names_are_text_in_the_index() -> None:
    page = files()["index.html"].decode()
    assert HOSTILE not in page
    assert "&lt;script&gt;" in page


def test_a_listing_stands_in_the_index_with_its_acts_and_files() -> None:
    one = {
        "listing_id": "L1", "number": 1, "state": "approval", "proposed_at": NOW, "proposed_by": "ladder", "reason": "",
        "level": "district", "document": "鼓政办〔2026〕88号", "listed_on": NOW.date(), "deadline": NOW.date(),
        "recheck": {"inspector": HOSTILE, "on": "2026-11-29", "by": "officer-b"}, "approved_by": "", "ended_at": None,
    }  # fmt: skip
    act = {"listing_id": "L1", "number": 3, "at": NOW, "by": "clerk", "body_code": "health", "act": "hand_in"}
    detail = {"files": ["整改.pdf sha256:00"], "source": "鼓消〔2026〕3号 health S1"}
    file = {
        "listing_id": "L1", "number": 3, "sha256": "a" * 64, "name": "整改.pdf", "content": b"%PDF-", "source": "S1"
    }  # fmt: skip
    made = files(replace(record(), listings=[one], listing_acts=[act | {"detail": detail}], listing_files=[file]))
    page = made["index.html"].decode()
    for said in (
        "待批准销案 To be approved",
        "鼓政办〔2026〕88号",
        "升级阶梯",
        "提交整改证据",
        "鼓消〔2026〕3号",
        "a" * 64,
    ):
        assert said in page, said
    assert HOSTILE not in page
    name = f"listings/L1-3-{'a' * 16}-整改.pdf"
    assert made[name] == b"%PDF-"
    assert name in page


def test_nothing_sealed_is_no_bundle() -> None:
    with pytest.raises(NoBundle):
        part_of([], CASE)


def test_a_part_that_does_not_hold_is_no_bundle() -> None:
    broken = [*LINKS[1:4], replace(LINKS[4], entry=entry(4, "case_reopened"))]
    with pytest.raises(NoBundle):
        part_of(broken, CASE)


def sealed_as_before(entries: list[AuditEntry]) -> list[Link]:
    links, last = [], GENESIS
    for seq, one in enumerate(entries, start=1):
        links.append(Link(seq, one, last, chain_module._hash_of_before(seq, one, last)))
        last = links[-1].hash
    return links


def test_a_chain_that_an_older_version_began_still_holds_and_goes_on() -> None:
    before = sealed_as_before(ENTRIES[:3])
    links = [*before, *chain(ENTRIES[3:], 3, before[-1].hash)]
    assert verify(links) == Verified(6, links[-1].hash)
    changed = [replace(links[1], entry=entry(1, "case_closed")), *links[2:]]
    assert verify([links[0], *changed]).broken_at == 2

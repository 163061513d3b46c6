#!/usr/bin/env python3
"""Check an evidence bundle of FireNet: `python3 verify.py [FILE.zip]`, without FireNet, by Python 3.9 or newer alone.

核验 FireNet 证据包：无需 FireNet，只需 Python 3.9 或以上版本。

It shows: every file is the one that was packed; the entries of this case stand unchanged in an unbroken part of the
audit chain; each notice that is said to have been accepted has its entry there, and its text is the one that was sent.
What it cannot show is that the chain itself was not written anew as a whole: compare `last_hash` with the one that was
kept elsewhere at the time, or with what `python -m services.alerts verify-audit` says of entry `last_seq`.
"""

from __future__ import annotations

import hashlib
import json
import sys
import zipfile
from pathlib import Path
from typing import Any

MAX_BYTES = 512 * 1024 * 1024
"""A bundle unpacks to no more than this: it comes from outside."""
MANIFEST = "manifest.json"


def check(path: Path | str) -> list[str]:
    """Return what is wrong with the bundle at `path`, an empty list when it holds."""
    try:
        with zipfile.ZipFile(path) as bundle:
            if sum(one.file_size for one in bundle.infolist()) > MAX_BYTES:
                return ["the bundle unpacks to more than 512 MiB"]
            names = bundle.namelist()
            files = {name: bundle.read(name) for name in names}
    except (OSError, zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        return [f"the bundle cannot be read: {error}"]
    if len(set(names)) != len(names):
        return ["a name stands twice in the bundle"]
    try:
        manifest = json.loads(files.pop(MANIFEST))
        wrong = _files(manifest["files"], files)
        return (
            wrong
            or _chain(manifest["chain"], json.loads(files["audit.json"]), json.loads(files["chain.json"]))
            or (_notices(json.loads(files["notices.json"]), json.loads(files["audit.json"])))
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        return [f"the bundle is not one of FireNet: {type(error).__name__} {error}"]


def _files(said: dict[str, Any], files: dict[str, bytes]) -> list[str]:
    wrong = [f"{name}: not in the bundle" for name in sorted(set(said) - set(files))]
    wrong += [f"{name}: not in the manifest" for name in sorted(set(files) - set(said))]
    wrong += [
        f"{name}: was changed"
        for name in sorted(set(files) & set(said))
        if hashlib.sha256(files[name]).hexdigest() != said[name]["sha256"]
    ]
    return wrong


def _chain(said: dict[str, Any], entries: list[Any], chain: list[Any]) -> list[str]:
    last = said["before_hash"]
    digests: dict[int, tuple[str, str]] = {}
    places = []
    for seq, digest in chain:
        last = _sha(last + digest)
        digests[seq] = digest, last
        places.append(seq)
    if places != list(range(said["first_seq"], said["last_seq"] + 1)):
        return ["the chain has gaps"]
    if last != said["last_hash"]:
        return ["the chain does not end with its last hash"]
    wrong = []
    for entry in entries:
        row = {name: entry[name] for name in ("seq", "at", "actor", "action", "case_id", "detail")}
        digest = _sha(json.dumps(row, sort_keys=True, separators=(",", ":"), ensure_ascii=False))
        if digests.get(entry["seq"]) != (digest, entry["hash"]):
            wrong.append(f"entry {entry['seq']} ({entry['action']}): is not the one in the chain")
    return wrong


def _notices(notices: list[Any], entries: list[Any]) -> list[str]:
    ended = {}
    for entry in entries:
        if entry["action"].startswith("notice_"):
            ended[entry["detail"].get("notice")] = entry
    wrong = []
    for notice in notices:
        if notice["state"] != "accepted":
            continue
        entry = ended.get(notice["notice_id"])
        if entry is None or entry["action"] != "notice_accepted":
            wrong.append(f"notice {notice['notice_id']}: no entry says that it was accepted")
            continue
        said = entry["detail"].get("text_sha256")
        if said is not None and said != _sha(notice["subject"] + "\n" + notice["body"]):
            wrong.append(f"notice {notice['notice_id']}: its text is not the one that was sent")
    return wrong


def _sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def main(arguments: list[str]) -> int:
    """Check the bundle that is named, or the only one beside this file; return 0 when it holds."""
    paths = [Path(one) for one in arguments] or sorted(Path(__file__).resolve().parent.glob("*.zip"))
    if len(paths) != 1:
        sys.stderr.write("usage: python3 verify.py FILE.zip\n")
        return 2
    wrong = check(paths[0])
    said = [*wrong, "NOT in order · 证据包有问题" if wrong else "in order · 证据包完整、未被改动"]
    sys.stdout.write("\n".join(said) + "\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

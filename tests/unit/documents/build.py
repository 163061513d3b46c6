"""Builders: requests as they come, time as data."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import schemas.export as export
from services.documents.adapters.wire import request_of
from services.documents.domain.numbering import Number, Series
from services.documents.domain.request import Request
from services.kernel.words import FindingKind

EXAMPLE = Path(export.__file__).parent / "examples/valid/DocumentRequest/fault.json"
T0 = datetime(2026, 11, 22, 1, 0, 31, tzinfo=UTC)
NUMBER = Number(Series("centre", "消监告", 2026), 12)


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def raw_request(request_id: str = "R1", **data: Any) -> bytes:
    """Return a request as it stands on the topic; `data` replaces fields of it."""
    event = json.loads(EXAMPLE.read_text(encoding="utf-8"))
    event["id"] = event["data"]["request_id"] = request_id
    event["data"] |= data
    return json.dumps(event, ensure_ascii=False).encode()


def request(request_id: str = "R1", kind: FindingKind = FindingKind.FAULT, **data: Any) -> Request:
    found = request_of(raw_request(request_id, **data))
    return replace(found, trouble=replace(found.trouble, kind=kind)) if found.trouble else found

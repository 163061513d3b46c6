"""The evidence bundle as a ZIP, with an index to be printed: Chinese first, English beside it."""

import os
import zipfile
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from pathlib import Path

import jinja2

from services.alerts.adapters import bundle_check
from services.alerts.adapters.letter_writer import KIND_EN, KIND_ZH, TEMPLATES
from services.alerts.adapters.listing_rows import with_acts
from services.alerts.adapters.listing_words import ACTS, LEVELS, STATES, by, said
from services.alerts.adapters.verification_words import verified_in
from services.alerts.domain.audit.bundle import CaseRecord, ChainPart, evidence_name, files_of
from services.alerts.domain.audit.chain import Verified
from services.alerts.domain.case.kinds import CaseKind
from services.kernel.calendar import CHINA

NO_DATE = (1980, 1, 1, 0, 0, 0)
"""Of every file in the ZIP: the same contents make the same bytes."""


def _local(instant: datetime | None) -> str:
    return "—" if instant is None else f"{instant.astimezone(CHINA):%Y-%m-%d %H:%M:%S}"


def index_page(record: CaseRecord, part: ChainPart, now: datetime) -> str:
    """Return the printed index: the case, each step, notice, receipt, listing with its acts and files, and entry."""
    kind = CaseKind(record.case["kind"])
    listings = with_acts(record.listings, record.listing_acts)
    return _index_template().render(
        record=record,
        part=part,
        now=now,
        listings=listings,
        verifications=verified_in(part.own),
        kind_zh=KIND_ZH[kind],
        kind_en=KIND_EN[kind],
    )


@cache
def _index_template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, undefined=jinja2.StrictUndefined
    )
    environment.filters["local"] = _local
    environment.filters["by"] = by
    environment.filters["said"] = lambda detail: " · ".join(said(detail))
    environment.globals["evidence_name"] = evidence_name
    environment.globals["words"] = {"state": STATES, "level": LEVELS, "act": ACTS}
    return environment.get_template("evidence_index.html.j2")


def bundle_files(record: CaseRecord, part: ChainPart, verified: Verified, now: datetime) -> dict[str, bytes]:
    """Return all files of the bundle by their names."""
    verifier = Path(bundle_check.__file__).read_text(encoding="utf-8")
    return files_of(record, part, index_page(record, part, now), verifier, verified, now)


def write_bundle(path: Path, files: Mapping[str, bytes]) -> None:
    """Write the ZIP, whole or not at all, for its owner's eyes. Raises OSError, FileExistsError where one is there."""
    new = path.with_name(path.name + ".new")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as bundle:
            for name, body in files.items():
                entry = zipfile.ZipInfo(name, NO_DATE)
                entry.compress_type = zipfile.ZIP_DEFLATED
                bundle.writestr(entry, body)
        os.link(new, path)  # unlike a rename it never takes the place of another
    finally:
        new.unlink(missing_ok=True)

"""Every corpus file gives exactly the JSON it states; every good frame comes back byte for byte."""

import io
import json

import pytest

from services.ingest.domain.gb26875 import (
    PROFILES,
    Decoded,
    ErrorCode,
    Gb26875Error,
    decode_all,
    decode_frame,
    encode_frame,
    frame_document,
    read_document,
)
from services.ingest.domain.gb26875.layout import TYPES
from services.ingest.gb26875.cli import main
from tests.unit.ingest.gb26875.corpus import ENTRIES, Entry


@pytest.mark.thorough
@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_entry_prints_what_it_states(entry: Entry) -> None:
    sink = io.StringIO()
    code = main(["decode", "--profile", entry.profile, entry.raw.hex()], io.StringIO(), sink)
    assert [json.loads(line) for line in sink.getvalue().splitlines()] == entry.expect
    assert code == int(any("error" in document for document in entry.expect))


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_good_frames_come_back_byte_for_byte(entry: Entry) -> None:
    profile = PROFILES[entry.profile]
    for event in decode_all(entry.raw, profile):
        if isinstance(event, Decoded):
            assert encode_frame(event.frame, profile) == event.raw
            document = frame_document(event.frame, profile)
            assert read_document(json.loads(json.dumps(document)), profile) == event.frame


@pytest.mark.parametrize("entry", [e for e in ENTRIES if e.name.startswith("error_")], ids=lambda entry: entry.name)
def test_one_frame_and_stream_name_the_same_error(entry: Entry) -> None:
    with pytest.raises(Gb26875Error) as caught:
        decode_frame(entry.raw, PROFILES[entry.profile])
    expected = entry.expect[0]
    assert (caught.value.code.value, caught.value.offset) == (expected["error"], expected["offset"])


def test_corpus_covers_every_type_profile_and_decoding_error() -> None:
    documents = [(entry, document) for entry in ENTRIES for document in entry.expect]
    adus = [document["adu"] for _, document in documents if document.get("adu")]
    assert set(TYPES) <= {adu["type"] for adu in adus}
    assert set(PROFILES) == {entry.profile for entry in ENTRIES}
    decoding = list(ErrorCode)[: list(ErrorCode).index(ErrorCode.FIELD_RANGE)]
    seen = {document["error"] for _, document in documents if "error" in document}
    assert set(decoding) - {ErrorCode.TRAILING_BYTES} == seen  # a stream has no end to trail behind

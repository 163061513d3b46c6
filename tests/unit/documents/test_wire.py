"""What leaves documents is what alerts reads: draft and document, texts for addressee and copies, files."""

from dataclasses import replace

import pytest

from schemas.topics import DOCUMENTS
from services.alerts.adapters.kafka_requests import document_of_record
from services.alerts.domain.delivery.documents import IssuedDocument
from services.documents.adapters.wire import issued_event
from services.documents.domain.document import Document, File, Rendition, document_id_of, numbered
from services.documents.domain.request import Request
from services.kernel.words import DocumentState, FileKind, Instrument, Language
from services.runtime.kafka_loop import ConsumedRecord
from tests.unit.documents.build import NUMBER, T0, at
from tests.unit.documents.samples import sample


def document(request: Request) -> Document:
    return Document(
        document_id=document_id_of(request.source, request.request_id),
        request=request,
        number=NUMBER,
        template="I1@2",
        issued_at=T0,
        renditions=(Rendition(Language.ZH, "函" * 300, "函文", "<p>函文</p>", "现抄送你方。"),),
        files=(File(Language.ZH, FileKind.PDF, b"%PDF\x00\xff"),),
    )


def received(one: Document) -> IssuedDocument:
    key, value = issued_event(one)
    found = document_of_record(DOCUMENTS, ConsumedRecord(key.encode(), value, 0, 0, 0))
    assert isinstance(found, IssuedDocument)
    return found


def test_a_document_arrives_with_its_texts_and_files() -> None:
    found = received(document(sample("I4")))
    assert found.number == "消监告〔2026〕12号"
    assert found.renditions["zh"].covering == "现抄送你方。"
    assert found.renditions["zh"].title == "函" * 200
    assert [(one.language, one.kind, one.content) for one in found.files] == [("zh", FileKind.PDF, b"%PDF\x00\xff")]


def test_a_draft_arrives_without_a_number_and_once_more_with_that_of_its_issuer() -> None:
    draft = replace(document(sample("I5")), number=None, state=DocumentState.DRAFT)
    first, then = received(draft), received(numbered(draft, "鼓消限〔2026〕7号", at(60)))
    assert (first.number, then.number) == ("", "鼓消限〔2026〕7号")
    assert first.document_id == then.document_id
    assert first.event_id != then.event_id


@pytest.mark.parametrize("instrument", list(Instrument))
def test_a_document_about_a_body_has_a_key_too(instrument: Instrument) -> None:
    key, _ = issued_event(document(sample(instrument)))
    assert key

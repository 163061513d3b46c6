"""Requests on the wire to domain values, and documents to events."""

from schemas import codec
from schemas.document import Component as WireComponent
from schemas.document import (
    DocumentChanged,
    DocumentChangedData,
    DocumentIssued,
    DocumentIssuedData,
    DocumentNumber,
    DocumentRequest,
)
from schemas.document import Named as WireNamed
from schemas.document import Rendition as WireRendition
from services.documents.domain.correspondence import Change, Correspondence, change_id_of
from services.documents.domain.document import Document
from services.documents.domain.request import Component, Issuer, Named, Request, Sent, Trouble, Unit


def request_of(raw: bytes) -> Request:
    """Return the request in a record or a stored row. Raises codec.BadRecord."""
    event: DocumentRequest = codec.requests.decode(raw)
    data = event.data
    return Request(
        source=event.source,
        request_id=data.request_id,
        case_id=data.case_id,
        instrument=data.instrument,
        issuer=Issuer(data.issuer.code, _named(data.issuer.name)),
        addressee=_named(data.addressee),
        copies=tuple(_named(one) for one in data.copies),
        unit=Unit(
            unit_id=data.unit.unit_id,
            name=_named(data.unit.name),
            address=data.unit.address,
            category=_named(data.unit.category) if data.unit.category else None,
            town=_named(data.unit.town) if data.unit.town else None,
        ),
        trouble=Trouble(
            kind=data.trouble.kind,
            since=data.trouble.since,
            detected_at=data.trouble.detected_at,
            occurrence=data.trouble.occurrence,
            component=_component(data.trouble.component),
        ),
        due_at=data.due_at,
        languages=data.languages,
        link=data.link,
        requested_at=event.time,
        facts=raw.decode(),
        recipients=tuple(Sent(one.contact_id, one.party, one.is_addressee) for one in data.recipients),
        receipt_due_at=data.receipt_due_at,
        reply_due_at=data.reply_due_at,
    )


def _named(name: WireNamed) -> Named:
    return Named(name.zh, name.en)


def _component(found: WireComponent | None) -> Component | None:
    return Component(found.address, found.system, found.label) if found else None


def issued_event(document: Document) -> tuple[str, bytes]:
    """Return (key, encoded event)."""
    request, number = document.request, document.number
    data = DocumentIssuedData(
        document_id=document.document_id,
        request_id=request.request_id,
        case_id=request.case_id,
        instrument=request.instrument,
        issuer_code=request.issuer.code,
        number=DocumentNumber(text=number.text, mark=number.series.mark, year=number.series.year, serial=number.serial),
        template=document.template,
        issued_at=document.issued_at,
        renditions=tuple(
            WireRendition(language=one.language, title=one.title, text=one.text, html=one.html)
            for one in document.renditions
        ),
    )
    unit_id = request.unit.unit_id
    event = DocumentIssued(
        id=document.document_id, source="/documents", subject=unit_id, time=document.issued_at, data=data
    )
    return unit_id, codec.documents.encode(event)


def changed_event(stands: Correspondence, change: Change) -> tuple[str, bytes]:
    """Return (key, encoded event) of what has just happened to a document."""
    data = DocumentChangedData(
        document_id=stands.document_id,
        request_id=stands.request_id,
        case_id=stands.case_id,
        what=change.what,
        state=stands.state,
        party=change.party,
        is_addressee=stands.addresses(change.party),
        by=change.by,
        via=change.via,
        submission_id=change.submission_id,
        reasons=change.reasons,
    )
    event = DocumentChanged(
        id=change_id_of(stands.document_id, change),
        source="/documents",
        subject=stands.unit_id,
        time=change.at,
        data=data,
    )
    return stands.unit_id, codec.documents.encode(event)

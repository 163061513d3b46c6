"""Requests on the wire to domain values, and documents to events."""

from schemas import codec
from schemas.document import Circular as WireCircular
from schemas.document import Component as WireComponent
from schemas.document import (
    DocumentChanged,
    DocumentChangedData,
    DocumentFile,
    DocumentIssued,
    DocumentIssuedData,
    DocumentNumber,
    DocumentRequest,
)
from schemas.document import DocumentRequestData as RequestData
from schemas.document import Named as WireNamed
from schemas.document import Rendition as WireRendition
from schemas.document import Standing as WireStanding
from schemas.document import Trouble as WireTrouble
from schemas.document import UnitParticulars as WireUnit
from services.documents.domain.correspondence import Change, Correspondence, change_id_of
from services.documents.domain.document import Document
from services.documents.domain.request import (
    Basis,
    Circular,
    Component,
    Earlier,
    Ground,
    Issuer,
    Listed,
    Measured,
    Meeting,
    Named,
    Request,
    Sent,
    Standing,
    Trouble,
    Unit,
)

TITLE = 200
"""Characters of a title on the wire; names may be as long as that alone."""


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
        unit=_unit(data.unit) if data.unit else None,
        trouble=_trouble(data.trouble) if data.trouble else None,
        due_at=data.due_at,
        languages=data.languages,
        link=data.link,
        requested_at=event.time,
        basis=_basis(data),
        facts=raw.decode(),
        subject=event.subject or (data.unit.unit_id if data.unit else data.issuer.code),
        earlier=tuple(Earlier(one.at, tuple(map(_named, one.to)), one.number) for one in data.earlier),
        circular=_circular(data.circular) if data.circular else None,
        about=_named(data.about) if data.about else None,
        grounds=tuple(Ground(one.on, _named(one.fact), one.number) for one in data.grounds),
        meeting=Meeting(data.meeting.at, data.meeting.place) if data.meeting else None,
        listed=Listed(**data.listed.model_dump()) if data.listed else None,
        recipients=tuple(Sent(one.contact_id, one.party, one.is_addressee) for one in data.recipients),
        receipt_due_at=data.receipt_due_at,
        provisional_years=data.provisional_years,
        reply_due_at=data.reply_due_at,
    )


def _named(name: WireNamed) -> Named:
    return Named(name.zh, name.en)


def _unit(found: WireUnit) -> Unit:
    return Unit(
        unit_id=found.unit_id,
        name=_named(found.name),
        address=found.address,
        category=_named(found.category) if found.category else None,
        town=_named(found.town) if found.town else None,
        responsible=found.responsible,
        telephone=found.telephone,
    )


def _trouble(found: WireTrouble) -> Trouble:
    return Trouble(
        kind=found.kind,
        since=found.since,
        detected_at=found.detected_at,
        occurrence=found.occurrence,
        component=_component(found.component) if found.component else None,
        components=tuple(map(_component, found.components)),
    )


def _component(found: WireComponent) -> Component:
    return Component(found.address, found.system, found.label, found.since)


def _circular(found: WireCircular) -> Circular:
    return Circular(_named(found.period), _named(found.measure), tuple(map(_standing, found.standings)))


def _standing(found: WireStanding) -> Standing:
    return Standing(
        body=_named(found.body),
        measured=tuple(
            Measured(_named(one.what), one.rate_low, one.rate_high, one.low, one.high, one.gap, one.left_out)
            for one in found.measured
        ),
        low=found.low,
        high=found.high,
        grade=found.grade,
        worst=found.worst,
        best=found.best,
        is_provisional=found.provisional,
        list=found.list,
        place=found.place,
        gaps=found.gaps,
        rule_years=found.rule_years,
        revision=found.revision,
    )


def _basis(data: RequestData) -> Basis:
    pack, evidence = data.pack, data.evidence
    return Basis(
        clause=data.clause,
        pack=f"{pack.pack_id}@{pack.version}",
        evidence=f"{evidence.topic}/{evidence.partition}/{evidence.offset}" if evidence else "",
    )


def issued_event(document: Document) -> tuple[str, bytes]:
    """Return (key, encoded event)."""
    request = document.request
    data = DocumentIssuedData(
        document_id=document.document_id,
        request_id=request.request_id,
        case_id=request.case_id,
        instrument=request.instrument,
        issuer_code=request.issuer.code,
        state=document.state,
        number=_number(document),
        template=document.template,
        issued_at=document.issued_at,
        renditions=tuple(
            WireRendition(
                language=one.language, title=one.title[:TITLE], text=one.text, html=one.html, covering=one.covering
            )
            for one in document.renditions
        ),
        files=tuple(DocumentFile(language=one.language, kind=one.kind, content=one.content) for one in document.files),
    )
    event = DocumentIssued(
        id=document.event_id, source="/documents", subject=request.subject, time=document.issued_at, data=data
    )
    return request.subject, codec.documents.encode(event)


def _number(document: Document) -> DocumentNumber | None:
    number = document.number
    if number is None:
        return DocumentNumber(text=document.own_number) if document.own_number else None
    return DocumentNumber(text=number.text, mark=number.series.mark, year=number.series.year, serial=number.serial)


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

"""firenet.requests.v1 and firenet.documents.v1: what we ask documents for, and what comes of it."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from schemas import codec
from schemas.base import Evidence, PackRef
from schemas.document import (
    MAX_COPIES,
    MAX_EARLIER,
    MAX_RECIPIENTS,
    Component,
    DocumentIssued,
    DocumentRecipient,
    DocumentRequestData,
    IssuingBody,
    Trouble,
    UnitParticulars,
)
from schemas.document import DocumentRequest as RequestEvent
from schemas.document import Earlier as WireEarlier
from schemas.document import Ground as WireGround
from schemas.document import Listed as WireListed
from schemas.document import Named as WireNamed
from services.alerts.adapters.close_words import fact_of, last_day
from services.alerts.domain.case import event
from services.alerts.domain.case.subject import SubjectKind
from services.alerts.domain.delivery.documents import (
    DocumentChange,
    DocumentRequest,
    File,
    IssuedDocument,
    Listed,
    Named,
    Rendition,
)
from services.alerts.domain.ids import CaseId, RequestId
from services.kernel.words import FindingKind
from services.runtime.kafka_loop import ConsumedRecord
from services.runtime.logging import get_logger

SHORT = 200
"""Characters of a text on the wire; the register keeps to it, what a controller calls its components may not."""


def request_row(request: DocumentRequest) -> dict[str, Any]:
    """Return the row of a request: its facts stand in it as they go on the topic."""
    event = json.loads(codec.requests.encode(_event_of(request)))
    return {
        "request_id": request.request_id,
        "case_id": request.case.case_id,
        "key": request.case.subject.id,
        "event": event,
        "created_at": request.requested_at,
    }


def request_rows(requests: Sequence[DocumentRequest]) -> list[dict[str, Any]]:
    """Return the rows of those that can be written. One that cannot costs its document, never the case or its notices.

    These leave with the short text then, when they have waited in vain.
    """
    rows = []
    for request in requests:
        try:
            rows.append(request_row(request))
        except ValueError as error:  # pydantic's is one
            get_logger().error("document_request_refused", request_id=request.request_id, detail=str(error)[:500])
    return rows


def _event_of(request: DocumentRequest) -> RequestEvent:
    case, said = request.case, request.particulars
    data = DocumentRequestData(
        request_id=request.request_id,
        case_id=case.case_id,
        instrument=request.instrument,
        issuer=IssuingBody(code=said.issuer_code, name=_named(said.issuer)),
        addressee=_named(request.addressee or said.name),
        copies=tuple(_named(one) for one in request.copies[:MAX_COPIES]),
        **(_of_body(request) if case.subject.kind is SubjectKind.BODY else _of_unit(request)),
        earlier=tuple(
            WireEarlier(at=one.at, to=tuple(map(_named, named[:MAX_COPIES])), number=one.number[:SHORT])
            for one, named in request.earlier[-MAX_EARLIER:]
            if named
        ),
        due_at=request.due_at,
        reply_due_at=request.reply_due_at,
        languages=request.languages,
        link=request.link[:400],
        recipients=tuple(
            DocumentRecipient(contact_id=one.contact_id, party=one.party, is_addressee=one.is_addressee)
            for one in request.recipients[:MAX_RECIPIENTS]
        ),
        receipt_due_at=request.receipt_due_at,
        provisional_years=request.provisional_years,
        clause=request.clause[:SHORT],
        pack=PackRef(pack_id=case.pack_id, version=case.pack_version),
        evidence=Evidence(topic=case.proof.topic, partition=case.proof.partition, offset=case.proof.offset),
    )
    return RequestEvent(
        id=request.request_id, source="/alerts", subject=case.subject.id, time=request.requested_at, data=data
    )


def _of_unit(request: DocumentRequest) -> dict[str, Any]:
    case, said = request.case, request.particulars
    return {
        "unit": UnitParticulars(
            unit_id=case.subject.id,
            name=_named(said.name),
            address=said.address[:SHORT],
            category=_named(said.category) if said.category else None,
            town=_named(said.town) if said.town else None,
            responsible=said.responsible[:SHORT],
            telephone=said.telephone,
        ),
        "trouble": Trouble(
            kind=FindingKind(case.kind),
            since=case.effective_at,
            detected_at=case.detected_at,
            occurrence=case.sightings.drops,
            component=_component(case.component),
        ),
        "listed": _listed(request.listed),
    }


def _listed(listed: Listed | None) -> WireListed | None:
    if listed is None:
        return None
    said = asdict(listed)
    return WireListed(**said | {"number": listed.number[:SHORT], "inspector": listed.inspector[:SHORT]})


def _of_body(request: DocumentRequest) -> dict[str, Any]:
    said = request.particulars
    return {
        "about": _named(said.name),
        "grounds": tuple(
            WireGround(on=last_day(one), fact=_named(fact_of(one, said.scopes))) for one in request.grounds
        ),
    }


def _named(name: Named) -> WireNamed:
    return WireNamed(zh=name.zh[:SHORT], en=name.en[:SHORT])


def _component(component: event.Component | None) -> Component | None:
    if component is None:
        return None
    return Component(address=component.address[:SHORT], system=component.system[:SHORT], label=component.label[:SHORT])


def document_of_record(topic: str, record: ConsumedRecord) -> IssuedDocument | DocumentChange | None:
    """Return the document in a record, or what became of one. Raises codec.BadRecord."""
    event = codec.documents.decode(record.value)
    if not isinstance(event, DocumentIssued):
        change = event.data
        return DocumentChange(
            event_id=f"{event.source}#{event.id}",
            request_id=RequestId(change.request_id),
            document_id=change.document_id,
            case_id=CaseId(change.case_id),
            what=change.what,
            party=change.party,
            is_addressee=change.is_addressee,
            by=change.by,
            via=change.via,
            at=event.time,
            reasons=change.reasons,
        )
    data = event.data
    return IssuedDocument(
        event_id=f"{event.source}#{event.id}",
        request_id=RequestId(data.request_id),
        document_id=data.document_id,
        case_id=CaseId(data.case_id),
        number=data.number.text if data.number else "",
        template=data.template,
        issued_at=data.issued_at,
        renditions={
            str(one.language): Rendition(one.title, one.text, one.html, one.covering) for one in data.renditions
        },
        files=tuple(File(str(one.language), one.kind, one.content) for one in data.files),
        issuer_code=data.issuer_code,
    )

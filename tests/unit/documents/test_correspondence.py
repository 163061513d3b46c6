"""What may become of a document after its issue, and what may not."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from prometheus_client import CollectorRegistry

from schemas import codec
from schemas.document import DocumentChanged
from services.documents.domain.correspondence import (
    Actor,
    Correspondence,
    Recipient,
    Written,
    decide,
    sign,
    submit,
)
from services.documents.domain.errors import NotFound, NotPossible
from services.documents.domain.uploads import Upload
from services.documents.metrics import DocumentsMetrics
from services.documents.worker.correspondence import CorrespondenceService
from services.documents.worker.publishing import PublishingService
from services.kernel.links import Link, sealed
from services.kernel.words import DocumentEvent, DocumentState, SubmissionKind, SubmissionState
from tests.fakes.clock import ManualClock
from tests.fakes.documents import MemoryCorrespondences, MemoryDocuments, MemoryStream
from tests.unit.documents.build import T0, at

HEALTH = Actor("health", "clerk", "张三", "console")
STREET = Actor("dongjie", "c-street", "李四", "link")
STRANGER = Actor("education", "other", "王五", "console")
ISSUED = Correspondence(
    document_id="D1",
    request_id="R1",
    case_id="C1",
    unit_id="U1",
    state=DocumentState.ISSUED,
    recipients=(Recipient("c-health", "health", True), Recipient("c-street", "dongjie", False)),
)
SIGNED = sign(ISSUED, HEALTH, at(1))[0]
REPLY, APPEAL = SubmissionKind.REPLY, SubmissionKind.APPEAL


def written(kind: SubmissionKind = REPLY, seen: int = 0, text: str = "已修复。") -> Written:
    return Written(kind, seen, text)


def answered(stands: Correspondence = SIGNED, kind: SubmissionKind = REPLY) -> Correspondence:
    return submit(stands, HEALTH, written(kind, len(stands.submissions)), at(2))[0]


def decided(stands: Correspondence, verdict: SubmissionState, reasons: str = "因为") -> Correspondence:
    return decide(stands, stands.submissions[-1].submission_id, verdict, "officer", reasons, at(3))[0]


def why(act: Callable[[], object]) -> str:
    with pytest.raises(NotPossible) as caught:
        act()
    return caught.value.reason


def test_an_addressee_signs_and_the_document_is_received_once() -> None:
    signed, change = sign(ISSUED, HEALTH, at(1))
    assert signed.state is DocumentState.RECEIVED
    assert change is not None
    assert (change.what, change.by) == (DocumentEvent.SIGNED, "张三")
    assert sign(signed, replace(HEALTH, name="赵六"), at(9)) == (signed, None)


def test_who_has_a_copy_signs_too_and_moves_nothing() -> None:
    signed, change = sign(ISSUED, STREET, at(1))
    assert signed.state is DocumentState.ISSUED
    assert signed.has_signed("dongjie")
    assert change is not None
    assert sign(signed, HEALTH, at(2))[0].state is DocumentState.RECEIVED


def test_nobody_signs_what_was_not_sent_to_him_or_without_a_name() -> None:
    assert why(lambda: sign(ISSUED, STRANGER, at(1))) == "not_a_recipient"
    assert why(lambda: sign(ISSUED, replace(HEALTH, name=""), at(1))) == "no_name"


def test_a_draft_is_signed_by_nobody() -> None:
    assert why(lambda: sign(replace(ISSUED, state=DocumentState.DRAFT), HEALTH, at(1))) == "not_issued"


def test_a_reply_is_accepted_and_closes_or_is_returned_and_asked_for_again() -> None:
    replied = answered()
    assert replied.state is DocumentState.REPLIED
    assert decided(replied, SubmissionState.ACCEPTED, "").state is DocumentState.CLOSED
    returned = decided(replied, SubmissionState.RETURNED)
    assert returned.state is DocumentState.RECEIVED
    again = answered(returned)
    assert [one.state for one in again.submissions] == [SubmissionState.RETURNED, SubmissionState.SUBMITTED]
    assert decided(again, SubmissionState.ACCEPTED).state is DocumentState.CLOSED


def test_an_appeal_stands_beside_and_closes_only_when_it_is_upheld() -> None:
    appealed = answered(kind=APPEAL)
    assert appealed.state is DocumentState.RECEIVED
    assert answered(appealed).state is DocumentState.REPLIED, "it holds no reply up"
    assert decided(appealed, SubmissionState.DISMISSED).state is DocumentState.RECEIVED
    upheld = decided(appealed, SubmissionState.UPHELD)
    assert upheld.state is DocumentState.CLOSED
    assert why(lambda: answered(upheld)) == "closed"


def test_a_reply_of_a_document_that_an_appeal_closed_leaves_it_closed() -> None:
    both = answered(answered(), APPEAL)
    closed = decide(both, both.submissions[1].submission_id, SubmissionState.UPHELD, "officer", "因为", at(3))[0]
    later = decide(closed, both.submissions[0].submission_id, SubmissionState.RETURNED, "officer", "因为", at(4))[0]
    assert later.state is DocumentState.CLOSED


def test_what_may_not_be_handed_in_is_refused_by_name() -> None:
    assert why(lambda: submit(ISSUED, HEALTH, written(), at(2))) == "not_signed"
    copy = sign(ISSUED, STREET, at(1))[0]
    assert why(lambda: submit(copy, STREET, written(), at(2))) == "not_an_addressee"
    assert why(lambda: submit(SIGNED, HEALTH, written(text=""), at(2))) == "no_text"
    assert why(lambda: submit(answered(), HEALTH, written(seen=1), at(2))) == "undecided"


def test_a_form_that_is_sent_again_hands_in_nothing() -> None:
    returned = decided(answered(), SubmissionState.RETURNED)
    assert why(lambda: submit(returned, HEALTH, written(seen=0), at(5))) == "changed"


def test_a_decision_needs_something_undecided_of_its_kind_and_its_reasons() -> None:
    replied = answered()
    one = replied.submissions[0].submission_id
    assert why(lambda: decide(replied, "other", SubmissionState.ACCEPTED, "o", "", T0)) == "no_such_submission"
    assert why(lambda: decide(replied, one, SubmissionState.UPHELD, "o", "r", T0)) == "no_such_submission"
    assert why(lambda: decide(replied, one, SubmissionState.SUBMITTED, "o", "r", T0)) == "no_such_submission"
    assert why(lambda: decide(replied, one, SubmissionState.RETURNED, "o", "", T0)) == "no_reasons"
    assert why(lambda: decided(decided(replied, SubmissionState.ACCEPTED), SubmissionState.RETURNED)) == "decided"


KEY = b"k" * 32


class Harness:
    def __init__(self) -> None:
        self.clock = ManualClock(datetime(2026, 3, 4, 8, tzinfo=UTC))
        self.store = MemoryCorrespondences(ISSUED)
        self.stream = MemoryStream()
        metrics = DocumentsMetrics(CollectorRegistry())
        self.service = CorrespondenceService(
            store=self.store, metrics=metrics, clock=self.clock, link_keys=[KEY], wake=lambda: None
        )
        self.publishing = PublishingService(
            outbox=MemoryDocuments(), changes=self.store, stream=self.stream, metrics=metrics, clock=self.clock
        )

    def link(self, document_id: str = "D1", contact: str = "c-health", days: int = 1, key: bytes = KEY) -> str:
        return sealed(Link(document_id, contact, self.clock.now().replace(day=20) + days * (at(86400) - T0)), key)

    @property
    def stands(self) -> Correspondence:
        return self.store.letters.stands["D1"]


async def test_a_link_leads_to_its_document_as_its_own_recipient() -> None:
    harness = Harness()
    assert await harness.service.open_link(harness.link(days=30)) == ("D1", "c-health", "health")


@pytest.mark.parametrize(
    "wrong",
    [{"document_id": "D2"}, {"contact": "c-other"}, {"days": -300}, {"key": b"x" * 32}],
    ids=["another document", "a foreign recipient", "stale", "another key"],
)
async def test_a_link_that_is_not_right_opens_nothing_and_says_nothing(wrong: dict[str, object]) -> None:
    harness = Harness()
    with pytest.raises(NotFound) as caught:
        await harness.service.open_link(harness.link(**{"days": 30, **wrong}))  # type: ignore[arg-type] # by name
    assert str(caught.value) == ""


async def test_a_link_that_was_taken_back_opens_nothing_and_the_others_go_on() -> None:
    harness = Harness()
    await harness.service.revoke("D1", "c-health", "officer")
    with pytest.raises(NotFound):
        await harness.service.open_link(harness.link(days=30))
    assert await harness.service.open_link(harness.link(contact="c-street", days=30)) == ("D1", "c-street", "dongjie")
    with pytest.raises(NotFound):
        await harness.service.revoke("D1", "c-health", "officer")


async def test_what_becomes_of_a_document_is_told_once_in_order_and_after_an_outage() -> None:
    harness = Harness()
    await harness.service.sign("D1", HEALTH)
    await harness.service.sign("D1", HEALTH)
    file = Upload("照片.jpg", "image/jpeg", b"\xff\xd8\xff")
    await harness.service.submit("D1", HEALTH, replace(written(), files=(file,)))
    submission = harness.stands.submissions[0]
    assert submission.attachments[0].sha256 in harness.store.letters.files
    await harness.service.decide("D1", submission.submission_id, SubmissionState.ACCEPTED, "officer", "")
    harness.stream.away = True
    with pytest.raises(Exception, match="away"):
        await harness.publishing.turn()
    harness.stream.away = False
    while await harness.publishing.turn():
        pass
    events = [codec.documents.decode(one) for one in harness.stream.changes]
    told = [(one.data.what, one.data.state) for one in events if isinstance(one, DocumentChanged)]
    assert told == [
        (DocumentEvent.SIGNED, DocumentState.RECEIVED),
        (DocumentEvent.REPLY_SUBMITTED, DocumentState.REPLIED),
        (DocumentEvent.REPLY_ACCEPTED, DocumentState.CLOSED),
    ]
    assert len({one.id for one in events}) == 3


async def test_another_bodys_document_is_no_document_at_all() -> None:
    harness = Harness()
    with pytest.raises(NotFound):
        await harness.service.sign("D1", STRANGER)
    with pytest.raises(NotFound):
        await harness.service.sign("D9", HEALTH)
    assert harness.stands == ISSUED

"""The clocks of a letter: set with its step, stopped by its addressee, and what is overdue is a step of its own."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from services.alerts.adapters.mail import SignedLinks, message_of
from services.alerts.adapters.rows import step_json, step_of_json
from services.alerts.domain.case.case import Case
from services.alerts.domain.case.event import Proof
from services.alerts.domain.case.kinds import CaseKind
from services.alerts.domain.delivery.documents import DocumentChange, Sent, addressees_of, request_id_of, sent_to
from services.alerts.domain.delivery.notice import About, Notice
from services.alerts.domain.escalation.ladder import has_exited
from services.alerts.domain.escalation.triggers import Overdue
from services.alerts.domain.ids import CaseId, ContactId, NoticeId
from services.alerts.domain.routing.recipients import recipients_of
from services.alerts.ports import Ready
from services.kernel.calendar import CHINA
from services.kernel.links import opened
from services.kernel.words import ClockKind, DocumentEvent, Instrument, Purpose, Recipient, StepExit
from tests.fakes.clock import ManualClock
from tests.unit.alerts.build import RULES, T0, Book, address, at, case, contact, event, step
from tests.unit.alerts.harness import Harness

DEPARTMENT, BRIGADE = Recipient.DEPARTMENT, Recipient.BRIGADE
LETTER = step("H0", 0, DEPARTMENT, receipt_working_days=1, reply_working_days=3)
UNSIGNED = step("H1", 0, BRIGADE, trigger=Overdue(ClockKind.RECEIPT))
UNANSWERED = step("H2", 0, BRIGADE, trigger=Overdue(ClockKind.REPLY))
LATER = step("H3", 30 * 24, BRIGADE, exits=(StepExit.CASE_CLOSED, StepExit.REPLIED))
DAY_S = 86400.0


async def sent() -> Harness:
    """Return a harness whose one case has just sent a letter that wants a receipt and a reply."""
    ladder = (LETTER, UNSIGNED, UNANSWERED, LATER)
    harness = Harness(group_wait=timedelta(0), ladders={**RULES.ladders, CaseKind.FAULT: ladder})
    await harness.take(event(kind=CaseKind.FAULT))
    await harness.work()
    return harness


def only(harness: Harness) -> Case:
    (found,) = harness.store.tables.cases.values()
    return found


def steps(harness: Harness) -> list[str]:
    return [one.step for one in harness.store.tables.steps.values()]


def change(harness: Harness, what: DocumentEvent, **more: Any) -> DocumentChange:
    of = only(harness)
    said: dict[str, Any] = {
        "event_id": f"/documents#{what}-{harness.clock.now()}",
        "request_id": request_id_of(of.case_id, "H0"),
        "document_id": "D1",
        "case_id": of.case_id,
        "what": what,
        "party": "health",
        "is_addressee": True,
        "by": "张三",
        "via": "link",
        "at": harness.clock.now(),
        **more,
    }
    return DocumentChange(**said)


def running(harness: Harness) -> set[ClockKind]:
    return set(only(harness).clocks.running) - {ClockKind.STEP}


async def test_a_letter_sets_its_clocks_in_working_days_and_the_first_of_them_is_the_next_step() -> None:
    harness = await sent()
    one = only(harness)
    midnight = one.detected_at.astimezone(CHINA).replace(hour=0, minute=0, second=0, microsecond=0)
    assert one.clocks.running[ClockKind.RECEIPT].due_at == midnight + timedelta(days=2)
    assert one.reply_due_at == midnight + timedelta(days=4)
    assert one.clocks.step is not None
    assert (one.next_step, one.next_step_at) == ("H1", midnight + timedelta(days=2))
    assert one.clocks.step.calendar_version == "every day"


async def test_what_is_missing_when_its_clock_passes_is_escalated_once_each() -> None:
    harness = await sent()
    await harness.pass_time(6 * DAY_S, every=DAY_S / 2)
    assert steps(harness) == ["H0", "H1", "H2"]


async def test_signed_in_time_only_the_missing_reply_is_escalated() -> None:
    harness = await sent()
    await harness.issue(change(harness, DocumentEvent.SIGNED))
    assert running(harness) == {ClockKind.REPLY}
    assert only(harness).next_step == "H2"
    await harness.pass_time(6 * DAY_S, every=DAY_S / 2)
    assert steps(harness) == ["H0", "H2"]


async def test_signed_and_answered_in_time_nothing_is_escalated_and_steps_that_end_by_a_reply_are_not_taken() -> None:
    harness = await sent()
    await harness.issue(change(harness, DocumentEvent.SIGNED), change(harness, DocumentEvent.REPLY_SUBMITTED))
    assert running(harness) == set()
    assert only(harness).clocks.step is None
    await harness.pass_time(40 * DAY_S, every=DAY_S)
    assert steps(harness) == ["H0"]
    assert only(harness).is_open, "a reply mends nothing: cure alone closes the case"


async def test_a_reply_that_is_returned_sets_its_clock_anew_and_its_acceptance_none() -> None:
    harness = await sent()
    await harness.issue(change(harness, DocumentEvent.SIGNED), change(harness, DocumentEvent.REPLY_SUBMITTED))
    await harness.pass_time(10 * DAY_S, every=DAY_S)
    await harness.issue(change(harness, DocumentEvent.REPLY_RETURNED, reasons="没有写明时间"))
    due = only(harness).reply_due_at
    assert due is not None
    assert timedelta(days=3) < due - harness.clock.now() <= timedelta(days=4)
    assert only(harness).next_step == "H2"
    await harness.issue(change(harness, DocumentEvent.REPLY_SUBMITTED), change(harness, DocumentEvent.REPLY_ACCEPTED))
    assert running(harness) == set()
    await harness.pass_time(10 * DAY_S, every=DAY_S)
    assert steps(harness) == ["H0"]


async def test_an_appeal_holds_nothing_up_and_upheld_ends_what_was_demanded() -> None:
    harness = await sent()
    await harness.issue(change(harness, DocumentEvent.APPEAL_SUBMITTED))
    assert running(harness) == {ClockKind.RECEIPT, ClockKind.REPLY}
    await harness.issue(change(harness, DocumentEvent.APPEAL_DISMISSED))
    assert running(harness) == {ClockKind.RECEIPT, ClockKind.REPLY}
    await harness.issue(change(harness, DocumentEvent.APPEAL_UPHELD))
    assert running(harness) == set()


@pytest.mark.parametrize("more", [{"is_addressee": False}, {"request_id": "of another step"}, {"case_id": "C-none"}])
async def test_a_copy_or_the_document_of_another_step_or_case_moves_no_clock(more: dict[str, Any]) -> None:
    harness = await sent()
    await harness.issue(change(harness, DocumentEvent.SIGNED, **more))
    assert running(harness) == {ClockKind.RECEIPT, ClockKind.REPLY}
    (entry,) = [one for one in harness.store.tables.audit if one.action == "document_signed"]  # all the same
    assert (entry.actor, entry.detail["by"]) == ("documents", "张三"), "a name that anybody may type is no actor"


async def test_the_same_event_twice_counts_once() -> None:
    harness = await sent()
    one = change(harness, DocumentEvent.SIGNED)
    await harness.issue(one, one)
    await harness.issue(one)
    assert [entry.action for entry in harness.store.tables.audit].count("document_signed") == 1


async def test_a_body_that_signs_for_the_document_has_signed_for_the_case_too() -> None:
    harness = await sent()
    await harness.issue(change(harness, DocumentEvent.SIGNED))
    assert [(one.body_code, one.step, one.by) for one in only(harness).receipts] == [("health", "H0", "张三")]
    assert only(harness).acknowledged is None
    await harness.issue(change(harness, DocumentEvent.SIGNED, party="education", event_id="other"))
    assert len(only(harness).receipts) == 1, "of a body that the case has nothing to do with no receipt is kept"


def test_a_step_for_what_is_overdue_is_kept_as_it_was() -> None:
    for one in (LETTER, UNSIGNED, UNANSWERED):
        assert step_of_json(step_json(one)) == one


def test_a_letter_is_addressed_to_the_unit_or_its_department_and_else_to_the_first_that_is_told() -> None:
    book = Book(
        contact("c-room", "U1", "control_room"),
        contact("c-firm", "U1", "maintenance"),
        contact("c-centre", "centre"),
        contact("c-health", "health"),
        contact("c-street", "T1"),
    )
    told = (Recipient.CENTRE, Recipient.UNIT_CONTROL_ROOM, Recipient.MAINTENANCE)
    one, unit_alone = case(), addressees_of(case(), Instrument.FAULT_NOTICE)
    assert sent_to(recipients_of(book, one, told, T0), "centre", unit_alone) == (
        Sent(ContactId("c-room"), "unit_control_room", True),
        Sent(ContactId("c-firm"), "maintenance", False),
    )
    bodies = recipients_of(book, one, (Recipient.STREET, Recipient.DEPARTMENT), T0)
    copy_notice = (Sent(ContactId("c-street"), "T1", False), Sent(ContactId("c-health"), "health", True))
    assert sent_to(bodies, "centre", addressees_of(one, Instrument.COPY_NOTICE)) == copy_notice
    urging = sent_to(bodies, "centre", addressees_of(one, Instrument.URGING_NOTICE))
    assert [(sent.party, sent.is_addressee) for sent in urging] == [("T1", True), ("health", False)]


def ready(signed_document_id: str | None) -> Ready:
    harness_case = case()
    to = address("c1")
    link = f"https://console.firenet-demo.cn/?case={harness_case.case_id}"
    notice = Notice(
        notice_id=NoticeId("n"),
        case_id=CaseId(harness_case.case_id),
        step="H0",
        purpose=Purpose.NOTICE,
        to=to,
        template="I1@1",
        subject="函",
        body=f"查看与签收：{link}\n",
        clause="",
        created_at=at(0),
        caused_at=at(0),
        about=About(Proof("t", 0, 0)),
        html=f'<a href="{link}">{link}</a>',
        signed_document_id=signed_document_id,
    )
    return Ready.of(notice, harness_case, 1)


def test_the_mail_of_a_document_carries_the_link_of_its_own_recipient_and_the_address_for_answers() -> None:
    key = b"k" * 32
    links = SignedLinks("https://console.firenet-demo.cn/", key, timedelta(days=30))
    mail = message_of(ready("D1"), "a@firenet-demo.cn", ManualClock(T0), links, "office@firenet-demo.cn")
    assert mail["Reply-To"] == "office@firenet-demo.cn"
    text, page = (mail.get_body((kind,)) for kind in ("plain", "html"))
    assert text is not None
    assert page is not None
    (said,) = [word for word in text.get_content().split() if "/d/" in word]
    address_of = said.partition("：")[2]
    assert page.get_content().count(address_of) == 2
    assert "?case=" not in text.get_content() + page.get_content()
    found = opened(address_of.rpartition("/d/")[2], [key], at(0))
    assert found is not None
    assert (found.document_id, found.recipient, found.until) == ("D1", "c1", at(0) + timedelta(days=30))


def test_an_english_reader_lands_on_an_english_page() -> None:
    links = SignedLinks("https://console.firenet-demo.cn", b"k" * 32)
    text, page = links.in_place(replace(ready("D1"), lang="en"))
    assert text.rstrip().endswith("?lang=en")
    assert page.count("?lang=en") == 2


@pytest.mark.parametrize(("document", "key"), [(None, b"k" * 32), ("D1", None)])
def test_a_mail_without_a_document_or_a_key_leads_to_the_case(document: str | None, key: bytes | None) -> None:
    links = SignedLinks("https://console.firenet-demo.cn", key)
    mail = message_of(ready(document), "a@firenet-demo.cn", ManualClock(T0), links)
    assert mail["Reply-To"] is None
    text = mail.get_body(("plain",))
    assert text is not None
    assert "?case=" in text.get_content()
    assert "/d/" not in text.get_content()


def test_replied_ends_a_step_only_after_a_letter_was_sent() -> None:
    fresh = replace(case(), ladder=(LETTER, LATER), step=None)
    assert not has_exited(fresh, LATER)

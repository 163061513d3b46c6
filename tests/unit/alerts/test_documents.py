"""A fault's notice waits a bounded time for its document; nothing else waits, and nobody hears of it twice."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from schemas import codec
from services.alerts.adapters.kafka_requests import request_row, request_rows
from services.alerts.adapters.letter_writer import TemplateWriter
from services.alerts.adapters.mail import message_of
from services.alerts.domain.case.event import Component, Happening
from services.alerts.domain.case.kinds import CaseKind
from services.alerts.domain.case.who import Who
from services.alerts.domain.delivery.attempts import Outcome
from services.alerts.domain.delivery.documents import (
    AwaitingNotice,
    DocumentRequest,
    Named,
    Particulars,
    copies_of,
    is_issued_for,
    request_id_of,
)
from services.alerts.domain.delivery.reasons import Reason
from services.alerts.domain.ids import NoticeId
from services.alerts.ports import Ready
from services.kernel.words import Channel, Instrument, Language, Purpose
from tests.fakes.alerts import EveryDay
from tests.fakes.alerts_store import states
from tests.fakes.clock import ManualClock
from tests.unit.alerts.build import HAZARD, RULES, T0, address, at, case, event, issued, step
from tests.unit.alerts.harness import Harness

OFFICER = Who("officer", None, "console")
WAIT_S = 10.0
ONE_DOCUMENT = replace(
    RULES,
    ladders={
        **RULES.ladders,
        CaseKind.FAULT: (HAZARD[0], *(replace(one, document="BOARD") for one in HAZARD[1:])),
    },
)


async def waiting() -> Harness:
    """Return a harness in which a fault's first notice has just begun to wait."""
    harness = Harness(group_wait=timedelta(0), ladders=ONE_DOCUMENT.ladders)
    harness.wait_for_documents(WAIT_S)
    await harness.take(event(kind=CaseKind.FAULT, point="1-002"))
    await harness.work()
    return harness


def requested(harness: Harness) -> DocumentRequest:
    (one,) = harness.store.tables.requests.values()
    return one


def texts(harness: Harness) -> list[str]:
    return [ready.body for _, ready in harness.carrier.sent if ready.purpose is Purpose.NOTICE]


def without_document(harness: Harness) -> float | None:
    return harness.registry.get_sample_value("firenet_alerts_notices_without_document_total")


async def test_a_notice_waits_for_its_document_and_leaves_with_it_at_once() -> None:
    harness = await waiting()
    assert not harness.carrier.sent
    wanted = requested(harness)
    await harness.issue(issued(wanted.request_id, wanted.case.case_id))
    await harness.deliver()
    assert texts(harness) == ["函文\n", "函文\n"], "the centre and the control room"
    assert {ready.html for _, ready in harness.carrier.sent} == {"<p>函文</p>"}
    await harness.pass_time(WAIT_S + 1, every=1)
    assert len(harness.carrier.sent) == 2, "nothing twice"
    assert without_document(harness) == 0


class NotArranged(EveryDay):
    def confirmed(self, year: int) -> bool:
        return False


@pytest.mark.parametrize(("calendar", "years"), [(EveryDay(), ()), (NotArranged(), (T0.year,))])
async def test_a_letter_is_told_of_which_years_its_dates_are_provisional(
    calendar: EveryDay, years: tuple[int, ...]
) -> None:
    with_receipt = tuple(replace(one, receipt_working_days=1) for one in ONE_DOCUMENT.ladders[CaseKind.FAULT])
    harness = Harness(group_wait=timedelta(0), ladders={**ONE_DOCUMENT.ladders, CaseKind.FAULT: with_receipt})
    await harness.go_by(calendar)
    harness.wait_for_documents(WAIT_S)
    await harness.take(event(kind=CaseKind.FAULT, point="1-002"))
    await harness.work()
    assert requested(harness).provisional_years == years
    said = request_row(requested(harness))["event"]["data"]
    assert said.get("provisional_years", []) == list(years), "left out where there is none"


async def test_without_a_document_it_leaves_with_the_short_text_and_is_counted() -> None:
    harness = await waiting()
    await harness.pass_time(WAIT_S - 1, every=1)
    assert not harness.carrier.sent
    await harness.pass_time(1)
    assert sorted(harness.recipients("H0")) == ["centre", "room-U1"]
    assert without_document(harness) == 2


async def test_a_document_that_comes_too_late_is_written_down_and_sends_nothing() -> None:
    harness = await waiting()
    await harness.pass_time(WAIT_S)
    wanted = requested(harness)
    await harness.issue(issued(wanted.request_id, wanted.case.case_id))
    await harness.pass_time(3, every=1)
    assert sorted(harness.recipients("H0")) == ["centre", "room-U1"]
    assert len(harness.carrier.sent) == 2
    assert harness.store.tables.issued[wanted.request_id].number == "消监告〔2026〕1号"
    (entry,) = [one for one in harness.store.tables.audit if one.action == "document_issued"]
    assert entry.detail["notices"] == []
    assert harness.registry.get_sample_value("firenet_alerts_documents_total", {"use": "unused"}) == 1


async def test_a_notice_that_may_have_arrived_keeps_the_text_it_had() -> None:
    harness = await waiting()
    harness.carrier.answers = [Outcome(Reason.TIMEOUT), Outcome(Reason.TIMEOUT)]
    await harness.pass_time(WAIT_S)
    wanted = requested(harness)
    await harness.issue(issued(wanted.request_id, wanted.case.case_id))
    await harness.pass_time(600, every=30)
    assert len(set(texts(harness))) == 1
    assert states(harness.store)["H0"] == ["accepted", "accepted"]
    assert without_document(harness) == 2, "once each, whatever the number of attempts"


async def test_a_document_that_is_delivered_again_has_no_second_effect() -> None:
    harness = await waiting()
    wanted = requested(harness)
    document = issued(wanted.request_id, wanted.case.case_id)
    await harness.issue(document, document)
    await harness.issue(document)
    await harness.deliver()
    assert len(harness.carrier.sent) == 2
    assert len([one for one in harness.store.tables.audit if one.action == "document_issued"]) == 1


@pytest.mark.parametrize("end", ["closed", "acknowledged"])
async def test_a_case_that_ends_while_its_notice_waits_is_told_to_nobody(end: str) -> None:
    harness = await waiting()
    wanted = requested(harness)
    if end == "closed":
        await harness.take(event(Happening.ENDED, kind=CaseKind.FAULT))
    else:
        await harness.acknowledgements.acknowledge(wanted.case.case_id, OFFICER, "")
    await harness.issue(issued(wanted.request_id, wanted.case.case_id))
    await harness.pass_time(2 * WAIT_S, every=1)
    assert harness.recipients("H0") == []
    assert set(states(harness.store)["H0"]) == {"cancelled"}


async def test_fires_unreadable_alarms_and_all_clears_never_wait() -> None:
    harness = Harness()
    harness.wait_for_documents(WAIT_S)
    await harness.take(event(Happening.FIRED, cause="s1", kind=CaseKind.FIRE))
    await harness.take(event(cause="u1", kind=CaseKind.UNREADABLE_ALARM))
    await harness.finished()
    assert harness.recipients("F0")
    assert len(harness.carrier.sent) == 3
    await harness.take(event(Happening.RESTORED, cause="s1", kind=CaseKind.FIRE, seconds=1))
    await harness.deliver()
    assert harness.recipients("CLEAR")
    assert harness.store.tables.requests == {}


async def test_whoever_has_a_process_killed_in_between_loses_and_doubles_nothing() -> None:
    harness = await waiting()
    wanted = requested(harness)
    harness.kill()
    await harness.issue(issued(wanted.request_id, wanted.case.case_id))
    harness.kill()
    await harness.deliver()
    assert texts(harness) == ["函文\n", "函文\n"]


def test_only_what_documents_issues_is_asked_for_and_nothing_urgent() -> None:
    fault = case(CaseKind.FAULT)
    assert is_issued_for(fault, fault.ladder[0])
    assert is_issued_for(fault, replace(fault.ladder[0], document="I4"))
    assert not is_issued_for(fault, replace(fault.ladder[0], document="I6")), "it is about bodies"
    assert not is_issued_for(fault, replace(fault.ladder[0], document="BOARD"))
    assert not is_issued_for(case(CaseKind.FIRE), step("F0", 0))
    assert not is_issued_for(replace(fault, kind=CaseKind.COMMON_CAUSE), fault.ladder[0])


def test_copies_go_to_who_is_told_beside_the_unit_and_the_issuer() -> None:
    centre, street = Named("监控中心"), Named("示范街道")
    said = Particulars("centre", centre, Named("医院"), bodies={"centre": centre, "T01": street})
    recipients = ("centre", "unit_control_room", "maintenance", "T01")
    assert copies_of(recipients, said) == (Named("维护保养单位", "maintenance firm"), street)


def wanted_document(**more: object) -> DocumentRequest:
    opened = case(CaseKind.FAULT)
    twice = replace(opened.sightings, drops=2)
    fault = replace(opened, component=Component("1-002", "1", "二层走廊烟感"), sightings=twice)
    said = Particulars("centre", Named("监控中心"), Named("医院" * 200), address="路", category=Named("医疗卫生机构"))
    request = DocumentRequest(
        request_id=request_id_of(fault.case_id, "H0"),
        case=fault,
        instrument=Instrument.FAULT_NOTICE,
        particulars=said,
        copies=(),
        languages=(Language.ZH,),
        clause="003 street 6",
        requested_at=T0,
        due_at=at(3600),
        link="https://console.firenet-demo.cn/?case=C1",
    )
    return replace(request, **more)  # type: ignore[arg-type] # names of its fields


def test_a_request_states_the_facts_bounded_and_as_a_versioned_event() -> None:
    row = request_row(wanted_document())
    event = codec.requests.decode(json.dumps(row["event"]).encode())
    assert event.type == "cn.firenet.document.requested.v1"
    assert event.data.trouble is not None
    assert event.data.trouble.component is not None
    assert event.data.trouble.component.label == "二层走廊烟感"
    assert event.data.trouble.occurrence == 2
    assert event.data.due_at == at(3600)
    assert len(event.data.addressee.zh) == 200
    assert row["key"] == "U1"


def test_a_request_that_cannot_be_written_costs_its_document_and_nothing_else() -> None:
    odd = wanted_document(particulars=Particulars("no code!", Named("x"), Named("y")))
    assert [row["request_id"] for row in request_rows([odd, wanted_document()])] == [wanted_document().request_id]


def notice_with(channel: Channel, lang: str, body: str = "") -> AwaitingNotice:
    wanted = wanted_document()
    return AwaitingNotice(NoticeId("N1"), wanted.case.case_id, wanted.request_id, channel, lang, body)


def test_a_document_takes_the_place_of_the_text_in_the_language_of_the_contact() -> None:
    writer, document = (
        TemplateWriter("https://console.firenet-demo.cn"),
        issued(request_id_of(case().case_id, "H0"), case().case_id),
    )
    chinese = writer.attach(notice_with(Channel.EMAIL, "zh"), document)
    assert (chinese.subject, chinese.body, chinese.html) == ("关于告知函（消监告〔2026〕1号）", "函文\n", "<p>函文</p>")
    assert chinese.template == "I1@1"
    assert writer.attach(notice_with(Channel.EMAIL, "en"), document).body == "Text\n"


def test_a_webhook_keeps_its_data_and_has_the_document_as_text() -> None:
    writer, document = (
        TemplateWriter("https://console.firenet-demo.cn"),
        issued(request_id_of(case().case_id, "H0"), case().case_id),
    )
    body = json.dumps({"type": "t", "data": {"kind": "fault", "subject": "short", "text": "short"}})
    attached = writer.attach(notice_with(Channel.WEBHOOK, "zh", body), document)
    data = json.loads(attached.body)["data"]
    assert data == {
        "kind": "fault",
        "subject": "关于告知函（消监告〔2026〕1号）",
        "text": "函文\n",
        "document_number": "消监告〔2026〕1号",
        "document_id": document.document_id,
    }
    assert attached.html == ""


def test_a_mail_brings_the_document_as_text_and_as_a_page() -> None:
    ready = Ready(
        notice_id=NoticeId("N1"),
        case_id=case().case_id,
        to=address(),
        subject="关于告知函",
        body="函文\n",
        fire=False,
        attempts=1,
        purpose=Purpose.NOTICE,
        lang="zh",
        caused_at=T0,
        html="<p>函文</p>",
    )
    message = message_of(ready, "firenet@localhost", ManualClock(T0))
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]
    plain = message_of(replace(ready, html=""), "firenet@localhost", ManualClock(T0))
    assert plain.get_content_type() == "text/plain"

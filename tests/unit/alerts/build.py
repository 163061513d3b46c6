"""Builders: time is data, names are short."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from services.alerts.domain.case.case import Case
from services.alerts.domain.case.clocks import Clock, Clocks
from services.alerts.domain.case.event import Component, Event, Happening, Proof
from services.alerts.domain.case.kinds import CaseKind
from services.alerts.domain.case.lifecycle import Terms, open_case
from services.alerts.domain.case.subject import SubjectFacts, unit_subject
from services.alerts.domain.delivery.documents import IssuedDocument, Rendition
from services.alerts.domain.escalation.ladder import Pace
from services.alerts.domain.escalation.pack_rules import PackRules
from services.alerts.domain.escalation.steps import LadderStep
from services.alerts.domain.escalation.triggers import Elapsed
from services.alerts.domain.ids import BodyCode, CaseId, ContactId, RequestId
from services.alerts.domain.routing.contacts import Address, Contact
from services.kernel.words import Channel, ClockKind, Recipient

T0 = datetime(2026, 3, 4, 8, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def step(code: str, hours: float, *tells: Recipient, **more: Any) -> LadderStep:
    return LadderStep(
        code=code,
        trigger=more.pop("trigger", Elapsed(timedelta(hours=hours))),
        tells=tells,
        document="I1",
        name_zh=f"步骤{code}",
        name_en=f"Step {code}",
        clause=f"clause {code}",
        **more,
    )


HAZARD = (
    step("H0", 0, Recipient.CENTRE, Recipient.UNIT_CONTROL_ROOM, Recipient.MAINTENANCE),
    step("H1", 1, Recipient.UNIT_MANAGER, Recipient.GRID_OFFICER),
    step("H2", 4, Recipient.STREET),
    step("H3", 8, Recipient.BRIGADE, board_only=True),
    step("H4", 24, Recipient.DEPARTMENT, Recipient.STREET, reply_working_days=3),
)
FIRE_LADDER = (step("F0", 0, Recipient.CENTRE, Recipient.UNIT_CONTROL_ROOM),)

RULES = PackRules(
    pack_id="sample",
    version=1,
    ladders={
        CaseKind.CONNECTION_LOST: HAZARD,
        CaseKind.NEVER_CONNECTED: HAZARD,
        CaseKind.FAULT: HAZARD,
        CaseKind.ISOLATION: HAZARD,
        CaseKind.FIRE: FIRE_LADDER,
    },
    group_wait=timedelta(seconds=30),
    reopen_within=timedelta(hours=24),
    common_by=("carrier", "town"),
    common_units=3,
    common_window=timedelta(seconds=120),
    common_hold=timedelta(minutes=30),
    common_recipients=(Recipient.CENTRE,),
    common_clause="proposal",
)


def unit(unit_id: str = "U1", **more: Any) -> SubjectFacts:
    facts: dict[str, Any] = {
        "name": f"单位{unit_id}",
        "town": "T1",
        "lead_department": "health",
        "copy_departments": ("T1",),
        "carriers": ("cmcc",),
        **more,
    }
    return SubjectFacts(unit_subject(unit_id), **facts)


def event(
    happening: Happening = Happening.BEGAN,
    *,
    cause: str = "d1",
    of: str = "U1",
    kind: CaseKind = CaseKind.CONNECTION_LOST,
    seconds: float = 0,
    point: str | None = None,
) -> Event:
    return Event(
        event_id=f"/rules#{of}-{kind}-{cause}-{happening}-{point}-{seconds}",
        happening=happening,
        subject=unit_subject(of),
        kind=kind,
        finding_id=f"{of}-{kind}-{cause}",
        effective_at=at(seconds - 240),
        detected_at=at(seconds),
        cause="deadline",
        proof=Proof("firenet.signals.v1", 3, 4711, None),
        component=Component(point) if point else None,
        clause="000",
    )


def terms(rate: float = 1, of: str = "U1", **rules: Any) -> Terms:
    return Terms(replace(RULES, **rules), unit(of), Pace(rate))


def case(kind: CaseKind = CaseKind.CONNECTION_LOST, *, of: str = "U1", seconds: float = 0, **changes: Any) -> Case:
    happening = Happening.FIRED if kind is CaseKind.FIRE else Happening.BEGAN
    opened = open_case(event(happening, of=of, kind=kind, seconds=seconds), terms(of=of), at(seconds))
    return replace(opened, **changes)


def clocks(step: tuple[str, float] | None = None, reply: tuple[str, float] | None = None) -> Clocks:
    """Return the clocks of a case: of each the code of its step, and when it is due in seconds from T0."""
    said = {ClockKind.STEP: step, ClockKind.REPLY: reply}
    return Clocks({kind: Clock(at(one[1]), one[0]) for kind, one in said.items() if one is not None})


def contact(name: str, body: str, role: str = "office", **more: Any) -> Contact:
    ways = {"email": f"{name}@mail.firenet-demo.cn"} | more
    return Contact(contact_id=ContactId(name), body_code=BodyCode(body), role=role, lang=ways.pop("lang", "zh"), **ways)


def address(name: str = "c1", channel: Channel = Channel.EMAIL, lang: str = "zh") -> Address:
    where = f"{name}@mail.firenet-demo.cn" if channel is Channel.EMAIL else f"https://{name}.firenet-demo.cn/hook"
    return Address(ContactId(name), BodyCode("centre"), channel, where, "hook", lang)


def issued(request_id: RequestId, case_id: CaseId, number: int = 1) -> IssuedDocument:
    """Return the document that was asked for by this request, in Chinese and English."""
    return IssuedDocument(
        event_id=f"/documents#D-{request_id}",
        request_id=request_id,
        document_id=f"D-{request_id}",
        case_id=case_id,
        number=f"消监告〔2026〕{number}号",
        template="I1@1",
        issued_at=T0,
        renditions={
            "zh": Rendition("关于告知函", "函文\n", "<p>函文</p>"),
            "en": Rendition("Notice", "Text\n", "<p>Text</p>"),
        },
    )


class Book:
    """An address book from a list."""

    def __init__(self, *contacts: Contact) -> None:
        self.all = contacts

    def bodies(self, kind: str, district: str) -> list[BodyCode]:
        return [BodyCode(kind)] if kind in ("centre", "brigade") else []

    def contacts(self, body: str) -> list[Contact]:
        return [one for one in self.all if one.body_code == body]

"""Letters from versioned templates: text for e-mail, JSON for webhooks, in the language of the contact."""

import json
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from html import escape
from pathlib import Path

import jinja2

from services.alerts.adapters.close_words import fact_of
from services.alerts.adapters.rows import proof_json
from services.alerts.domain.case.case import Case
from services.alerts.domain.case.kinds import CaseKind
from services.alerts.domain.case.subject import SubjectKind
from services.alerts.domain.delivery.documents import Attached, AwaitingNotice, IssuedDocument, grounds_of
from services.alerts.domain.delivery.letters import Letter
from services.alerts.domain.escalation.ladder import step_of
from services.alerts.domain.ids import NoticeId
from services.alerts.domain.noise.digest import DigestItem, DigestLetter
from services.alerts.domain.routing.contacts import Address
from services.kernel.calendar import CHINA
from services.kernel.words import BY_TELEPHONE, Channel, Purpose
from services.runtime.texts import one_line

COVERING = '<p style="max-width: 180mm; margin: 5mm auto; font: 11pt/1.6 sans-serif">{}</p>'
"""Before the page of a document, for those who have a copy."""
READ_BY_MACHINES = frozenset({Channel.WEBHOOK, Channel.MQTT})
TEMPLATES = Path(__file__).parent / "templates"

VERSIONS = {
    "trouble": 2,
    "body": 1,
    "fire": 3,
    "alarm": 2,
    "common_cause": 1,
    "all_clear": 1,
    "digest": 1,
}
"""The version in use of each template; an older file stays, so that an old notice can be read as it was written."""

KIND_ZH = {
    CaseKind.CONNECTION_LOST: "联网中断（离线）",
    CaseKind.NEVER_CONNECTED: "未接入联网",
    CaseKind.FIRE: "火警",
    CaseKind.FAULT: "设备故障",
    CaseKind.ISOLATION: "部件屏蔽",
    CaseKind.COMMON_CAUSE: "多单位同时离线",
    CaseKind.UNREADABLE_ALARM: "火警通道收到无法识读的报文",
    CaseKind.UNREGISTERED_ALARM: "未登记网关在火警通道报警",
    CaseKind.BELOW_TARGET: "未达到联网目标",
    CaseKind.NOT_COMPETENT: "年度考核不称职",
    CaseKind.GRAVE_RESULT: "失职致严重后果",
    CaseKind.TEST_OVERDUE: "未按期测试报警",
    CaseKind.RUNAWAY_COMPONENT: "部件反复报警",
}
KIND_EN = {
    CaseKind.CONNECTION_LOST: "connection lost (offline)",
    CaseKind.NEVER_CONNECTED: "never connected",
    CaseKind.FIRE: "fire alarm",
    CaseKind.FAULT: "equipment fault",
    CaseKind.ISOLATION: "components isolated",
    CaseKind.COMMON_CAUSE: "many units offline at once",
    CaseKind.UNREADABLE_ALARM: "something on the alarm lane that could not be read",
    CaseKind.UNREGISTERED_ALARM: "a gateway in no register on the alarm lane",
    CaseKind.BELOW_TARGET: "below a target",
    CaseKind.NOT_COMPETENT: "graded not competent for the year",
    CaseKind.GRAVE_RESULT: "grave result through neglect",
    CaseKind.TEST_OVERDUE: "no test alarm in time",
    CaseKind.RUNAWAY_COMPONENT: "a component reports again and again",
}

REASON_ZH = {
    "signal": "信号恢复",
    "restored": "已复位",
    "registry": "登记变更",
    "all_members_back": "全部恢复",
    "quiet": "已稳定，不再波动",
    "acknowledged": "已签收",
    "figure": "本期达到目标",
}
REASON_EN = {
    "signal": "signals are back",
    "restored": "restored",
    "registry": "changed in the registry",
    "all_members_back": "all units are back",
    "quiet": "steady again",
    "acknowledged": "acknowledged",
    "figure": "the target is met again",
}
CAUSE_ZH = {"carrier": "运营商", "town": "街镇", "district": "全区"}


NAME_CHARACTERS = 60
"""Of a name in a digest; the case's page has the whole one."""


def _cause(key: str | None, lang: str) -> str:
    kind, _, value = (key or "").partition(":")
    return f"{CAUSE_ZH.get(kind, kind) if lang == 'zh' else kind} {value}" if value else ""


def _short(name: str) -> str:
    return name if len(name) <= NAME_CHARACTERS else f"{name[: NAME_CHARACTERS - 1]}…"


def _local(instant: datetime | None) -> str:
    return "" if instant is None else f"{instant.astimezone(CHINA):%Y-%m-%d %H:%M:%S} (UTC+8)"


def template_name(letter: Letter) -> str:
    if letter.purpose is Purpose.ALL_CLEAR:
        return "all_clear"
    if letter.case.is_fire:
        return "fire"
    if letter.case.is_urgent:
        return "alarm"
    if letter.case.subject.kind is SubjectKind.BODY:
        return "body"
    return "common_cause" if letter.case.is_common else "trouble"


@cache
def _templates() -> Mapping[tuple[str, str], jinja2.Template]:
    """Return the template in use of each name and language, all compiled, once in a process."""
    # plain text, not HTML: escaping would corrupt it; `line` keeps foreign text from breaking the layout
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=False,  # noqa: S701
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=one_line,
    )
    environment.filters["local"] = _local
    return {
        (name, lang): environment.get_template(f"{name}.v{version}.{lang}.txt.j2")
        for name, version in VERSIONS.items()
        for lang in ("zh", "en")
    }


class TemplateWriter:
    """See ports.LetterWriter. A template's first line is the subject, the second is empty, the rest is the body."""

    def __init__(self, console_url: str) -> None:
        self._console_url = console_url.rstrip("/")
        self._templates = _templates()

    def write(self, letter: Letter, notice_id: NoticeId, to: Address) -> tuple[str, str, str]:
        name = template_name(letter)
        lang = "en" if to.lang == "en" else "zh"
        link = f"{self._console_url}/?case={letter.case.case_id}"
        text = self._templates[name, lang].render(
            letter=letter,
            case=letter.case,
            ended_at=letter.case.ended_at,
            subject=letter.case.subject,
            unit=letter.case.facts,
            step=letter.step,
            proof=letter.proof,
            component=letter.component,
            missed=[fact_of(one, {}) for one in grounds_of(letter.case, letter.step)],
            phones=letter.telephones,
            kind=(KIND_EN if lang == "en" else KIND_ZH)[letter.case.kind],
            unit_name=(letter.case.facts.name_en or letter.case.facts.name) if lang == "en" else letter.case.facts.name,
            cause=_cause(letter.case.grouping.cause_key, lang),
            reason=(REASON_EN if lang == "en" else REASON_ZH).get(
                letter.case.close_reason or "", letter.case.close_reason
            ),
            link=link,
            notice_id=notice_id,
        )
        subject, _, body = text.partition("\n")
        subject, body = subject.strip(), body.strip("\n") + "\n"
        if to.channel in READ_BY_MACHINES:
            body = _payload(letter, notice_id, to, subject, body, link)
        elif to.channel in BY_TELEPHONE:
            body = _values(letter, lang)
        return subject, body, f"{name}@{VERSIONS[name]}"

    def write_digest(self, letter: DigestLetter, digest_id: NoticeId) -> tuple[str, str]:
        lang = "en" if letter.to.lang == "en" else "zh"
        lines = [self._line(item, lang) for item in letter.named]
        text = self._templates["digest", lang].render(
            letter=letter,
            trouble=[line for line in lines if not line["over"]],
            over=[line for line in lines if line["over"]],
            link=f"{self._console_url}/",
            digest_id=digest_id,
        )
        subject, _, body = text.partition("\n")
        return subject.strip(), body.strip("\n") + "\n"

    def _line(self, item: DigestItem, lang: str) -> dict[str, object]:
        """Return what a digest says of one case: short, and where the rest is."""
        case = item.case
        english = lang == "en"
        step = step_of(case, item.step)
        reason = case.close_reason or ""
        return {
            "over": item.purpose is Purpose.ALL_CLEAR,
            "name": _short((case.facts.name_en or case.facts.name) if english else case.facts.name),
            "kind": (KIND_EN if english else KIND_ZH)[case.kind],
            "since": case.effective_at,
            "drops": case.sightings.drops,
            "step": "" if step is None else step.name_en if english else step.name_zh,
            "number": item.document_number,
            "reason": (REASON_EN if english else REASON_ZH).get(reason, reason),
            "ended_at": case.ended_at,
            "link": f"{self._console_url}/?case={case.case_id}",
            "case_id": case.case_id,
        }

    def attach(self, waiting: AwaitingNotice, document: IssuedDocument) -> Attached:
        page = document.in_language(waiting.lang)
        number = document.number or ("草稿" if waiting.lang != "en" else "draft")
        subject = f"{page.title}（{number}）" if waiting.lang != "en" else f"{page.title} ({number})"
        subject, body, html = one_line(subject), page.text, page.html
        if waiting.is_copy and page.covering:
            body = f"{page.covering}\n\n{body}"
            html = html.replace("<body>", f"<body>\n{COVERING.format(escape(page.covering))}", 1)
        if waiting.channel in READ_BY_MACHINES:
            body, html = _payload_with(waiting.body, subject, document, body), ""
        elif waiting.channel in BY_TELEPHONE:
            body, html = waiting.body, ""  # its template says as much as a telephone can
        signed = waiting.channel is Channel.EMAIL and waiting.body_code != document.issuer_code
        return Attached(
            waiting.notice_id,
            subject,
            body,
            html,
            document.template,
            document.number,
            document.document_id if signed and document.number else None,
        )


def _payload_with(payload: str, subject: str, document: IssuedDocument, text: str) -> str:
    """Return a webhook's body with the document's text in place of ours; what it says as data stays as it was."""
    whole = json.loads(payload)
    whole["data"] |= {
        "subject": subject,
        "text": text,
        "document_number": document.number,
        "document_id": document.document_id,
    }
    return json.dumps(whole, ensure_ascii=False, separators=(",", ":"))


def _values(letter: Letter, lang: str) -> str:
    """Return the sort of the notice, which an approved template is chosen by, and what may fill its parameters."""
    case, facts, component = letter.case, letter.case.facts, letter.component
    english = lang == "en"
    values = {
        "unit": (facts.name_en or facts.name) if english else facts.name,
        "kind": (KIND_EN if english else KIND_ZH)[case.kind],
        "step": letter.step.name_en if english else letter.step.name_zh,
        "point": "" if component is None else (component.label or component.address or ""),
        "since": f"{case.effective_at.astimezone(CHINA):%m-%d %H:%M}",
        "ended": "" if case.ended_at is None else f"{case.ended_at.astimezone(CHINA):%m-%d %H:%M}",
        "case": case.case_id,
    }
    said = {"sort": template_name(letter), "values": {name: one_line(value) for name, value in values.items()}}
    return json.dumps(said, ensure_ascii=False, separators=(",", ":"))


def _sort(case: Case) -> str:
    if case.is_fire:
        return "fire"
    return "alarm" if case.is_urgent else "case"


def _payload(letter: Letter, notice_id: NoticeId, to: Address, subject: str, text: str, link: str) -> str:
    """Return the webhook's body: the whole letter as data, and as text for a receiver that only shows it."""
    case, facts = letter.case, letter.case.facts
    return json.dumps(
        {
            "type": f"cn.firenet.{_sort(case)}.{letter.purpose}.v1",
            "timestamp": letter.created_at.isoformat(),
            "data": {
                "notice_id": notice_id,
                "case_id": case.case_id,
                "kind": str(case.kind),
                "purpose": str(letter.purpose),
                "step": letter.step_code,
                "document": letter.step.document,
                "to": to.body_code,
                "unit": {
                    "id": case.subject.unit_id,
                    "name": facts.name,
                    "name_en": facts.name_en,
                    "town": facts.town,
                    "category": facts.category,
                },
                "point": None
                if letter.component is None
                else {
                    "address": letter.component.address,
                    "system": letter.component.system,
                    "label": letter.component.label,
                },
                "cause": case.grouping.cause_key,
                "since": case.effective_at.isoformat(),
                "caused_at": letter.caused_at.isoformat(),
                "said": letter.text,
                "over": not case.is_open,
                "ended_at": case.ended_at.isoformat() if case.ended_at else None,
                "closed_at": case.closed_at.isoformat() if case.closed_at else None,
                "close_reason": case.close_reason,
                "reply_due_at": letter.reply_due_at.isoformat() if letter.reply_due_at else None,
                "clause": letter.step.clause,
                "pack": {"pack_id": case.pack_id, "version": case.pack_version},
                "evidence": proof_json(letter.proof),
                "subject": subject,
                "text": text,
                "link": link,
            },
        },
        ensure_ascii=False,
        separators=(",", ":"),
    )

"""Delivery reports (状态报告) of providers of text messages and calls: what each writes is data, as with its requests.

A provider pushes its reports to an address of ours, or is asked for that of one message. Whatever stands in one is a
stranger's word until it names a message that this channel sent, to the number that it was sent to.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from services.alerts.domain.case.case import Case
from services.alerts.domain.delivery.attempts import KEPT_TRYING, DeliveryState, Verdict
from services.alerts.domain.delivery.consent import may_send_notice
from services.alerts.domain.delivery.notice import Notice
from services.alerts.domain.delivery.reasons import Reason
from services.alerts.domain.delivery.telephony import (
    ID_CHARACTERS,
    Gateway,
    GatewayProvider,
    Path,
    Prepared,
    found_at,
    signed_request,
    text_at,
)
from services.kernel.calendar import CHINA
from services.kernel.words import Channel, Proof, Purpose

REPORTS_AT_ONCE = 500
"""Reports of one body; what is beyond it is not read, and the provider told that it was not."""
CODE_CHARACTERS = 40
COPIES = 3
"""So often a notice is brought to a telephone that is off, busy or not taken up; then it is given up."""
AGAIN_FIRE = timedelta(seconds=90)
"""Providers let a number be called once in a minute, and five times in an hour."""
AGAIN_OTHER = timedelta(minutes=15)
ASKED_FIRST = timedelta(seconds=30)
"""So long after sending a provider is asked first what became of a message; later ever more seldom."""
ASKED_LAST = timedelta(hours=72)
"""Carriers keep a text message for a telephone that is off for two to three days."""
_PRINTABLE = re.compile(r"[^\x20-\x7e]")


class Admission(StrEnum):
    """How whoever brings reports shows that it is the provider: it knows the key in the address, or it signs with it.

    Neither Aliyun nor Tencent signs what it pushes. `signed` is Standard Webhooks, as our own webhooks are.
    """

    KEY_IN_URL = "key_in_url"
    SIGNED = "signed"


@dataclass(frozen=True, slots=True)
class ReportShape:
    """Where things stand in one report.

    `message_id` None: the report is about the message that was asked for. Status words beside `delivered` and `failed`
    say nothing yet; `failed` None: all others. `permanent` are codes after which nothing is ever to go there. The first
    time of `times` that can be read counts. `key`: what was pressed on the telephone.
    """

    message_id: Path | None
    number: Path
    status: Path = ()
    delivered: frozenset[str] = frozenset()
    failed: frozenset[str] | None = frozenset()
    code: Path = ()
    permanent: frozenset[str] = frozenset()
    times: tuple[Path, ...] = ()
    key: Path = ()


@dataclass(frozen=True, slots=True)
class ReportProfile:
    """What one provider pushes: a report, or a list of them at `items`; of its shapes the one whose id is there counts.

    `taken` and `again` are what it wants to hear: it brings them again after the second one.
    """

    admission: Admission
    shapes: tuple[ReportShape, ...]
    taken: Mapping[str, object]
    again: Mapping[str, object]
    items: Path = ()


class Asked(StrEnum):
    """What a field of a question about a message is filled with."""

    NUMBER = "number"
    E164 = "e164"
    MESSAGE_ID = "message_id"
    DAY = "day"
    SENT_AT = "sent_at"
    APP_ID = "app_id"


@dataclass(frozen=True, slots=True)
class QueryProfile:
    """How a provider is asked for one message's report. `codes` and `accepted` as in GatewayProfile; no code is well.

    `numbers` are fields that are numbers in JSON.
    """

    fixed: Mapping[str, str]
    fields: Mapping[str, Asked]
    codes: tuple[Path, ...]
    accepted: frozenset[str]
    items: Path
    shape: ReportShape
    numbers: Mapping[str, int] = field(default_factory=dict)


_ALIYUN_ANSWERS: tuple[Mapping[str, object], Mapping[str, object]] = (
    {"code": 0, "msg": "taken"},
    {"code": 1, "msg": "again"},
)
_TENCENT_ANSWERS: tuple[Mapping[str, object], Mapping[str, object]] = (
    {"result": 0, "errmsg": "OK"},
    {"result": 1, "errmsg": "again"},
)
_PLAIN_SHAPE = ReportShape(
    message_id=("message_id",),
    number=("number",),
    status=("state",),
    delivered=frozenset({"delivered"}),
    failed=frozenset({"failed"}),
    code=("code",),
    permanent=frozenset({"refused"}),
    times=(("at",),),
    key=("key",),
)
_PLAIN = ReportProfile(Admission.SIGNED, (_PLAIN_SHAPE,), {"code": 0}, {"code": 1}, items=("reports",))

REPORT_PROFILES: Mapping[tuple[Channel, GatewayProvider], ReportProfile] = {
    (Channel.SMS, GatewayProvider.ALIYUN): ReportProfile(
        Admission.KEY_IN_URL,
        (
            ReportShape(
                message_id=("biz_id",),
                number=("phone_number",),
                status=("success",),
                delivered=frozenset({"true"}),
                failed=frozenset({"false"}),
                code=("err_code",),
                times=(("report_time",),),
            ),
        ),
        *_ALIYUN_ANSWERS,
    ),
    (Channel.VOICE, GatewayProvider.ALIYUN): ReportProfile(
        Admission.KEY_IN_URL,
        (
            ReportShape(
                message_id=("call_id",),
                number=("callee",),
                status=("status_code",),
                # heard to the end; heard, and no key pressed in time
                delivered=frozenset({"200000", "200008"}),
                # hung up before the end, busy, not taken up, no such number, not reached, not played, no service, off,
                # suspended; 2001.. are two-way calls and what a call goes through
                failed=frozenset(
                    {"200001", "200002", "200003", "200004", "200005", "200006", "200007", "200010", "200011"}
                ),
                code=("status_code",),
                permanent=frozenset({"200004"}),
                times=(("end_time",), ("status_time",)),
                key=("dtmf",),
            ),
        ),
        *_ALIYUN_ANSWERS,
    ),
    (Channel.SMS, GatewayProvider.TENCENT): ReportProfile(
        Admission.KEY_IN_URL,
        (
            ReportShape(
                message_id=("sid",),
                number=("mobile",),
                status=("report_status",),
                delivered=frozenset({"SUCCESS"}),
                failed=frozenset({"FAIL"}),
                code=("errmsg",),
                times=(("user_receive_time",),),
            ),
        ),
        *_TENCENT_ANSWERS,
    ),
    (Channel.VOICE, GatewayProvider.TENCENT): ReportProfile(
        Admission.KEY_IN_URL,
        (
            ReportShape(
                message_id=("voiceprompt_callback", "callid"),
                number=("voiceprompt_callback", "mobile"),
                status=("voiceprompt_callback", "result"),
                delivered=frozenset({"0"}),
                failed=frozenset({"1", "2"}),
                code=("voiceprompt_callback", "result"),
                times=(("voiceprompt_callback", "accept_time"), ("voiceprompt_callback", "end_calltime")),
            ),
            ReportShape(
                message_id=("voicekey_callback", "callid"),
                number=("voicekey_callback", "mobile"),
                key=("voicekey_callback", "keypress"),
            ),
            ReportShape(
                message_id=("voice_failure_callback", "callid"),
                number=("voice_failure_callback", "mobile"),
                status=("voice_failure_callback", "failure_code"),
                failed=None,
                code=("voice_failure_callback", "failure_code"),
                permanent=frozenset({"8"}),  # 空号: no such number
            ),
        ),
        *_TENCENT_ANSWERS,
    ),
    (Channel.SMS, GatewayProvider.PLAIN): _PLAIN,
    (Channel.VOICE, GatewayProvider.PLAIN): _PLAIN,
}
"""Sources: SmsReport and VoiceReport of Aliyun with its codes of calls (运营商回执错误码); 382/43547 and 1128/37726 ff.
of Tencent Cloud; `plain` is our own form."""

_PLAIN_QUERY = QueryProfile(
    fixed={},
    fields={"message_id": Asked.MESSAGE_ID, "number": Asked.NUMBER},
    codes=(("code",),),
    accepted=frozenset({"0"}),
    items=("reports",),
    shape=_PLAIN_SHAPE,
)
QUERY_PROFILES: Mapping[tuple[Channel, GatewayProvider], QueryProfile] = {
    (Channel.SMS, GatewayProvider.ALIYUN): QueryProfile(
        fixed={
            "Action": "QuerySendDetails",
            "Version": "2017-05-25",
            "RegionId": "cn-hangzhou",
            "Format": "JSON",
            "PageSize": "10",
            "CurrentPage": "1",
        },
        fields={"PhoneNumber": Asked.NUMBER, "BizId": Asked.MESSAGE_ID, "SendDate": Asked.DAY},
        codes=(("Code",),),
        accepted=frozenset({"OK"}),
        items=("SmsSendDetailDTOs", "SmsSendDetailDTO"),
        shape=ReportShape(
            message_id=None,
            number=("PhoneNum",),
            status=("SendStatus",),
            delivered=frozenset({"3"}),
            failed=frozenset({"2"}),
            code=("ErrCode",),
            times=(("ReceiveDate",),),
        ),
    ),
    (Channel.SMS, GatewayProvider.TENCENT): QueryProfile(
        fixed={
            "Action": "PullSmsSendStatusByPhoneNumber",
            "Version": "2021-01-11",
            "Region": "ap-guangzhou",
            "Service": "sms",
        },
        fields={"PhoneNumber": Asked.E164, "SmsSdkAppId": Asked.APP_ID, "BeginTime": Asked.SENT_AT},
        numbers={"Offset": 0, "Limit": 20},
        codes=(("Response", "Error", "Code"),),
        accepted=frozenset(),
        items=("Response", "PullSmsSendStatusSet"),
        shape=ReportShape(
            message_id=("SerialNo",),
            number=("SubscriberNumber",),
            status=("ReportStatus",),
            delivered=frozenset({"SUCCESS"}),
            failed=frozenset({"FAIL"}),
            code=("Description",),
            times=(("UserReceiveTime",),),
        ),
    ),
    (Channel.SMS, GatewayProvider.PLAIN): _PLAIN_QUERY,
    (Channel.VOICE, GatewayProvider.PLAIN): _PLAIN_QUERY,
}
"""Calls of Aliyun and Tencent are not asked for: their reports are pushed only."""


@dataclass(frozen=True, slots=True)
class DeliveryReport:
    """What a provider says of one message. `number` as it writes it, never logged; `at` None: it says no time."""

    message_id: str
    number: str
    proofs: tuple[Proof, ...]
    code: str = ""
    reason: Reason | None = None
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ReadReports:
    """The reports of a body; `unreadable` is how many stood in it that are none, `left` that it held too many."""

    reports: tuple[DeliveryReport, ...]
    unreadable: int = 0
    left: bool = False


@dataclass(frozen=True, slots=True)
class SentMessage:
    """A message of ours as its provider took it, and the number it went to."""

    channel: Channel
    message_id: str
    number: str
    sent_at: datetime


class ReportOutcome(StrEnum):
    """What became of a delivery report, one closed set for the metric."""

    DELIVERED = "delivered"
    FAILED = "failed"
    ACKNOWLEDGED = "acknowledged"
    REPEATED = "repeated"
    UNKNOWN = "unknown"
    OTHER_NUMBER = "other_number"
    UNREADABLE = "unreadable"
    FORGED = "forged"
    TOO_LARGE = "too_large"
    TOO_MANY = "too_many"


REFUSED_AT_THE_DOOR = (ReportOutcome.FORGED, ReportOutcome.TOO_LARGE, ReportOutcome.TOO_MANY, ReportOutcome.UNREADABLE)
"""Pushes that are refused as a whole, before it is known what they are about."""


def reports_of(profile: ReportProfile, body: bytes, acknowledge_key: str | None) -> ReadReports:
    """Return the reports that were pushed; never raises, whatever the body is."""
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return ReadReports((), 1)
    return _read(_items(said, profile.items), profile.shapes, acknowledge_key, "")


def answered_reports(
    profile: QueryProfile, answer: object, message_id: str, acknowledge_key: str | None
) -> ReadReports | None:
    """Return the reports in the answer to a question about a message; None: it was refused."""
    code = next((found for path in profile.codes if (found := text_at(answer, path)) is not None), None)
    if code is not None and code not in profile.accepted:
        return None
    items = found_at(answer, profile.items)
    return _read(items if isinstance(items, list) else (), (profile.shape,), acknowledge_key, message_id)


def _items(said: object, path: Path) -> Sequence[object]:
    found = found_at(said, path)
    return found if isinstance(found, list) else (found,)


def _read(
    items: Sequence[object], shapes: Sequence[ReportShape], acknowledge_key: str | None, asked_for: str
) -> ReadReports:
    reports, unreadable = [], 0
    for item in items[:REPORTS_AT_ONCE]:
        read = [one for shape in shapes if (one := _report(item, shape, acknowledge_key, asked_for)) is not None]
        reports += read[:1]
        unreadable += not read
    return ReadReports(tuple(one for one in reports if one.proofs), unreadable, len(items) > REPORTS_AT_ONCE)


def _report(item: object, shape: ReportShape, acknowledge_key: str | None, asked_for: str) -> DeliveryReport | None:
    message_id = asked_for if shape.message_id is None else text_at(item, shape.message_id)
    if not isinstance(item, Mapping) or not message_id or len(message_id) > ID_CHARACTERS:
        return None
    if not message_id.isascii() or not message_id.isprintable():  # none of ours, and PostgreSQL takes no NUL
        return None
    status = _status(item, shape)
    key = text_at(item, shape.key) if shape.key else None
    code = _PRINTABLE.sub("?", (text_at(item, shape.code) if shape.code else None) or status or "")[:CODE_CHARACTERS]
    proofs: list[Proof] = []
    if acknowledge_key is not None and key == acknowledge_key:
        proofs.append(Proof.ACKNOWLEDGED)
    if status is not None and status in shape.delivered:
        proofs.append(Proof.DELIVERED)
    elif status is not None and (shape.failed is None or status in shape.failed) and not proofs:
        proofs.append(Proof.FAILED)  # whoever has pressed the key and hung up has heard it
    reason = Reason.RECIPIENT_REFUSED if code in shape.permanent else Reason.NOT_DELIVERED
    return DeliveryReport(
        message_id=message_id,
        number=(text_at(item, shape.number) or "")[:ID_CHARACTERS],
        proofs=tuple(proofs),
        code=code,
        reason=reason if Proof.FAILED in proofs else None,
        at=next((at for path in shape.times if (at := _instant(text_at(item, path))) is not None), None),
    )


def _status(item: object, shape: ReportShape) -> str | None:
    if not shape.status:
        return None
    found = found_at(item, shape.status)
    return str(found).lower() if isinstance(found, bool) else text_at(item, shape.status)


def _instant(text: str | None) -> datetime | None:
    """Return the instant of seconds since 1970, or of a time of day in China; nonsense is none."""
    if not text or not text.isascii():
        return None
    try:
        if text.isdigit():
            return datetime.fromtimestamp(int(text[:12]), UTC) if int(text[:12]) > 0 else None
        found = datetime.fromisoformat(text)
        return (found.replace(tzinfo=CHINA) if found.tzinfo is None else found).astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        return None


def same_number(ours: str, theirs: str) -> bool:
    """Say whether a provider's number can be ours; one that it leaves out, or whose digits it hides, says nothing."""
    if not theirs or "*" in theirs or "x" in theirs.lower():
        return True
    return _digits(ours) == _digits(theirs)


def _digits(number: str) -> str:
    found = re.sub(r"[^0-9]", "", number)
    if found.startswith("0086"):
        found = found[4:]
    elif found.startswith("86") and len(found) > 11:  # no number in China begins with 86 and has more digits
        found = found[2:]
    return found.removeprefix("0")


def proven_at(report: DeliveryReport, sent_at: datetime, now: datetime) -> datetime:
    """Return when it happened as far as we believe it: not before we sent, not after we heard of it."""
    return min(max(report.at or now, sent_at), now)


def after_failure(notice: Notice, case: Case, reason: Reason, copies: int, now: datetime) -> Verdict | None:
    """Return what becomes of an accepted notice of which `copies` were sent, and the last one did not arrive.

    It is a failed attempt, only told later: tried again, or given up. None: nobody has to hear of it any more. As ever
    the first notice of a fire is not taken back because somebody took the case, or because it is over; but after
    `KEPT_TRYING` it is given up here as elsewhere: carriers say only after days that a telephone was off.
    """
    if may_send_notice(notice, case, now).stop is not None:
        return None
    over_long_ago = case.closed_at is not None and now - case.closed_at >= KEPT_TRYING
    if reason is Reason.RECIPIENT_REFUSED or copies >= COPIES or over_long_ago:
        return Verdict(DeliveryState.DEAD)
    urgent = notice.fire and notice.purpose is Purpose.NOTICE
    return Verdict(DeliveryState.RETRY, now + (AGAIN_FIRE if urgent else AGAIN_OTHER))


def next_question(sent_at: datetime, now: datetime) -> datetime | None:
    """Return when a provider is asked again for a message: as long again as it is old; None: it will never say."""
    age = now - sent_at
    return None if age >= ASKED_LAST else now + max(ASKED_FIRST, age)


def query_of(
    gateway: Gateway, profile: QueryProfile, message: SentMessage, url: str, nonce: str, now: datetime
) -> Prepared:
    """Return the signed question about a message."""
    number = message.number.replace("-", "")
    values = {
        Asked.NUMBER: number,
        Asked.E164: f"+86{number.removeprefix('0')}",
        Asked.MESSAGE_ID: message.message_id,
        Asked.DAY: f"{message.sent_at.astimezone(CHINA):%Y%m%d}",
        Asked.SENT_AT: int(message.sent_at.timestamp()) - 60,
        Asked.APP_ID: gateway.app_id,
    }
    fields: dict[str, object] = {name: values[asked] for name, asked in profile.fields.items()}
    return signed_request(gateway, profile.fixed, fields | dict(profile.numbers), url, nonce, now)

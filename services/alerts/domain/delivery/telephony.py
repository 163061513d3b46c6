"""Text messages and voice calls through a provider's HTTP interface: what each wants is data, as with robots.

In China only approved templates may be sent: a notice names its sort and its values, the gateway's own settings say
which template that is and which value goes where. All providers answer with a code of their own, which alone says
whether a message was accepted; `accepted` is what the provider says, not what the telephone says.
"""

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from urllib.parse import quote, urlsplit

from services.alerts.domain.delivery.attempts import Outcome
from services.alerts.domain.delivery.reasons import Reason
from services.kernel.words import Channel

ONE_PART = 70
EACH_PART = 67
ID_CHARACTERS = 100
"""Characters (UCS-2) of a text message that stands alone, and of each part of a longer one."""
_PLACE = re.compile(r"\$?\{([^{}]*)\}")
"""Where a value goes in a template's text."""
_FORBIDDEN = re.compile(r"https?://\S*|www\.\S*|(?:\d{1,3}\.){3}\d{1,3}")
"""What providers refuse within a value: links and addresses."""


class GatewayProvider(StrEnum):
    """Whose interface it is. `plain`: our own form, for a gateway that an operator puts before whatever he has."""

    ALIYUN = "aliyun"
    TENCENT = "tencent"
    PLAIN = "plain"


class Proof(StrEnum):
    """How a request shows that we know the key: Aliyun's RPC signature 1.0, Tencent's TC3, or the key as a bearer."""

    ALIYUN_RPC = "aliyun_rpc"
    TC3 = "tc3"
    BEARER = "bearer"


class Value(StrEnum):
    """What a field of a request is filled with."""

    NUMBER = "number"
    E164 = "e164"
    E164_LIST = "e164_list"
    TEMPLATE = "template"
    PARAMETERS = "parameters"
    PARAMETERS_JSON = "parameters_json"
    PARAMETERS_LIST = "parameters_list"
    SIGN_NAME = "sign_name"
    APP_ID = "app_id"
    CALLER = "caller"
    NOTICE_ID = "notice_id"
    TEXT = "text"


Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class GatewayProfile:
    """What one provider wants for one channel.

    The body is a form where `as_form`, else JSON. `codes` lead to the code in the answer, the first that is there
    counts; `accepted` are the codes of success, and where `proof` is set something must stand there as well. `reasons`
    are those of a code or of all that begin with it and a dot. By `message_id` the provider's delivery reports name the
    message. `penalty`: so long nothing more is taken from us.
    """

    url: str
    as_form: bool
    signature: Proof
    fixed: Mapping[str, str]
    fields: Mapping[str, Value]
    codes: tuple[Path, ...]
    accepted: frozenset[str]
    reasons: Mapping[str, Reason]
    value_characters: int
    per_number_a_day: int
    message_id: Path
    proof: Path | None = None
    penalty: timedelta = timedelta(minutes=5)


_ALIYUN_REASONS: Mapping[str, Reason] = {
    **dict.fromkeys(("isv.BUSINESS_LIMIT_CONTROL", "Throttling"), Reason.THROTTLED),
    **dict.fromkeys(
        ("isv.DAY_LIMIT_CONTROL", "isv.MONTH_LIMIT_CONTROL", "isv.AMOUNT_NOT_ENOUGH", "isv.OUT_OF_SERVICE"),
        Reason.QUOTA,
    ),
    **dict.fromkeys(("isv.MOBILE_NUMBER_ILLEGAL",), Reason.RECIPIENT_REFUSED),
    **dict.fromkeys(
        (
            "isv.SMS_TEMPLATE_ILLEGAL",
            "isv.SMS_SIGNATURE_ILLEGAL",
            "isv.SMS_SIGN_ILLEGAL",
            "isv.SIGN_STATE_ILLEGAL",
            "isv.SMS_SIGNATURE_SCENE_ILLEGAL",
            "isv.SMS_CONTENT_ILLEGAL",
            "isv.EXTEND_CODE_ERROR",
            "isv.DOMESTIC_NUMBER_NOT_SUPPORTED",
            "isv.TEMPLATE_MISSING_PARAMETERS",
            "isv.INVALID_PARAMETERS",
            "isv.INVALID_JSON_PARAM",
            "isv.BLACK_KEY_CONTROL_LIMIT",
            "isv.PARAM_LENGTH_LIMIT",
            "isv.PARAM_NOT_SUPPORT_URL",
            "isv.MOBILE_COUNT_OVER_LIMIT",
        ),
        Reason.REJECTED,
    ),
    **dict.fromkeys(
        (
            "isp.RAM_PERMISSION_DENY",
            "isv.ACCOUNT_NOT_EXISTS",
            "isv.ACCOUNT_ABNORMAL",
            "isv.PRODUCT_UN_SUBSCRIPT",
            "isv.PRODUCT_UNSUBSCRIBE",
            "isv.DENY_IP_RANGE",
            "SignatureDoesNotMatch",
            "InvalidAccessKeyId",
            "InvalidTimeStamp",
            "Forbidden",
        ),
        Reason.AUTH,
    ),
    "isp.SYSTEM_ERROR": Reason.SERVER_ERROR,
}
_TENCENT_REASONS: Mapping[str, Reason] = {
    "LimitExceeded": Reason.THROTTLED,
    "RequestLimitExceeded": Reason.THROTTLED,
    "LimitExceeded.PhoneNumberDailyLimit": Reason.QUOTA,
    "LimitExceeded.PhoneNumberSameContentDailyLimit": Reason.QUOTA,
    "LimitExceeded.AppDailyLimit": Reason.QUOTA,
    "FailedOperation.InsufficientBalanceInSmsPackage": Reason.QUOTA,
    "FailedOperation.PhoneNumberInBlacklist": Reason.RECIPIENT_REFUSED,
    "InvalidParameterValue.IncorrectPhoneNumber": Reason.RECIPIENT_REFUSED,
    "FailedOperation": Reason.REJECTED,
    "InvalidParameterValue": Reason.REJECTED,
    "InvalidParameter": Reason.REJECTED,
    "MissingParameter": Reason.REJECTED,
    "AuthFailure": Reason.AUTH,
    "UnauthorizedOperation": Reason.AUTH,
    "InternalError.SigVerificationFail": Reason.AUTH,
    "InternalError": Reason.SERVER_ERROR,
}
_PLAIN = GatewayProfile(
    url="",
    as_form=False,
    signature=Proof.BEARER,
    fixed={},
    fields={
        "id": Value.NOTICE_ID,
        "number": Value.NUMBER,
        "template": Value.TEMPLATE,
        "parameters": Value.PARAMETERS,
        "text": Value.TEXT,
    },
    codes=(("code",),),
    accepted=frozenset({"0"}),
    reasons={
        "throttled": Reason.THROTTLED,
        "quota": Reason.QUOTA,
        "refused": Reason.RECIPIENT_REFUSED,
        "rejected": Reason.REJECTED,
        "auth": Reason.AUTH,
    },
    value_characters=100,
    per_number_a_day=50,
    message_id=("message_id",),
)

PROFILES: Mapping[tuple[Channel, GatewayProvider], GatewayProfile] = {
    (Channel.SMS, GatewayProvider.ALIYUN): GatewayProfile(
        url="https://dysmsapi.aliyuncs.com/",
        as_form=True,
        signature=Proof.ALIYUN_RPC,
        fixed={"Action": "SendSms", "Version": "2017-05-25", "RegionId": "cn-hangzhou", "Format": "JSON"},
        fields={
            "PhoneNumbers": Value.NUMBER,
            "SignName": Value.SIGN_NAME,
            "TemplateCode": Value.TEMPLATE,
            "TemplateParam": Value.PARAMETERS_JSON,
            "OutId": Value.NOTICE_ID,
        },
        codes=(("Code",),),
        accepted=frozenset({"OK"}),
        reasons=_ALIYUN_REASONS,
        value_characters=35,
        per_number_a_day=50,
        message_id=("BizId",),
    ),
    (Channel.VOICE, GatewayProvider.ALIYUN): GatewayProfile(
        url="https://dyvmsapi.aliyuncs.com/",
        as_form=True,
        signature=Proof.ALIYUN_RPC,
        fixed={"Action": "SingleCallByTts", "Version": "2017-05-25", "RegionId": "cn-hangzhou", "Format": "JSON"},
        fields={
            "CalledNumber": Value.NUMBER,
            "CalledShowNumber": Value.CALLER,
            "TtsCode": Value.TEMPLATE,
            "TtsParam": Value.PARAMETERS_JSON,
            "OutId": Value.NOTICE_ID,
        },
        codes=(("Code",),),
        accepted=frozenset({"OK"}),
        reasons=_ALIYUN_REASONS,
        value_characters=35,
        per_number_a_day=20,
        message_id=("CallId",),
        proof=("CallId",),
    ),
    (Channel.SMS, GatewayProvider.TENCENT): GatewayProfile(
        url="https://sms.tencentcloudapi.com/",
        as_form=False,
        signature=Proof.TC3,
        fixed={"Action": "SendSms", "Version": "2021-01-11", "Region": "ap-guangzhou", "Service": "sms"},
        fields={
            "PhoneNumberSet": Value.E164_LIST,
            "SmsSdkAppId": Value.APP_ID,
            "SignName": Value.SIGN_NAME,
            "TemplateId": Value.TEMPLATE,
            "TemplateParamSet": Value.PARAMETERS_LIST,
            "SessionContext": Value.NOTICE_ID,
        },
        codes=(("Response", "Error", "Code"), ("Response", "SendStatusSet", 0, "Code")),
        accepted=frozenset({"Ok"}),
        reasons=_TENCENT_REASONS,
        value_characters=35,
        per_number_a_day=2,
        message_id=("Response", "SendStatusSet", 0, "SerialNo"),
    ),
    (Channel.VOICE, GatewayProvider.TENCENT): GatewayProfile(
        url="https://vms.tencentcloudapi.com/",
        as_form=False,
        signature=Proof.TC3,
        fixed={"Action": "SendTtsVoice", "Version": "2020-09-02", "Region": "ap-guangzhou", "Service": "vms"},
        fields={
            "CalledNumber": Value.E164,
            "VoiceSdkAppid": Value.APP_ID,
            "TemplateId": Value.TEMPLATE,
            "TemplateParamSet": Value.PARAMETERS_LIST,
            "SessionContext": Value.NOTICE_ID,
        },
        codes=(("Response", "Error", "Code"),),
        accepted=frozenset(),
        reasons=_TENCENT_REASONS,
        value_characters=35,
        per_number_a_day=10,
        message_id=("Response", "SendStatus", "CallId"),
        proof=("Response", "SendStatus", "CallId"),
    ),
    (Channel.SMS, GatewayProvider.PLAIN): _PLAIN,
    (Channel.VOICE, GatewayProvider.PLAIN): _PLAIN,
}
"""Sources: the providers' own pages (docs/design/alerting_ui.md 5.2). `per_number_a_day` are their defaults; what an
account really has stands in the gateway's file."""


@dataclass(frozen=True, slots=True)
class Template:
    """An approved template: its code, which of our values its parameters are, in its order, and its text.

    `text` is the approved one with our values in braces, or as the provider writes it (`{1}`, `${name}`): by it the
    parts are counted. A call has none.
    """

    code: str
    parameters: Mapping[str, str]
    text: str = ""


@dataclass(frozen=True, slots=True)
class ReportAccess:
    """How an account's delivery reports reach us: pushed by whoever has `key`, asked for at `query_url`, or not at all.

    `acknowledge_key` is the key on a telephone by which whoever is called acknowledges, where the approved text of
    calls says so.
    """

    key: str = field(default="", repr=False)
    query_url: str | None = None
    acknowledge_key: str | None = None


@dataclass(frozen=True, slots=True)
class Gateway:
    """An account at a provider. `templates` by sort of notice; `per_number_a_day` and `a_day` are its quotas."""

    provider: GatewayProvider
    profile: GatewayProfile
    url: str
    templates: Mapping[str, Template]
    per_number_a_day: int
    a_day: int | None = None
    sign_name: str = ""
    app_id: str = ""
    caller: str = ""
    most_parts: int = 2
    key_id: str = field(default="", repr=False)
    key: str = field(default="", repr=False)
    reports: ReportAccess = ReportAccess()


@dataclass(frozen=True, slots=True)
class Message:
    """What is said to one number: `values` are the template's, shortened, `parts` what it costs."""

    number: str
    template: Template
    values: Mapping[str, str]
    text: str
    parts: int
    notice_id: str


@dataclass(frozen=True, slots=True)
class Prepared:
    """A request: body, its media type, and headers that sign for it."""

    body: bytes
    media_type: str
    headers: Mapping[str, str]


class NoTemplate(Exception):
    """No approved template for this sort of notice."""


def parts_of(text: str) -> int:
    """Return how many text messages a text costs: 70 characters alone, 67 in each part of a longer one."""
    characters = len(text.encode("utf-16-le")) // 2
    return 1 if characters <= ONE_PART else -(-characters // EACH_PART)


def message_of(gateway: Gateway, sort: str, values: Mapping[str, str], number: str, notice_id: str) -> Message:
    """Return the message within what a value and a message may have; whatever is too long is shortened, never refused.

    Raises NoTemplate.
    """
    template = gateway.templates.get(sort)
    if template is None:
        raise NoTemplate(sort)
    most = gateway.profile.value_characters
    while True:
        used = {name: _shortened(values.get(source, ""), most) for name, source in template.parameters.items()}
        text = _filled_in(template, used)
        parts = parts_of(text)
        if parts <= gateway.most_parts or most <= 1:
            return Message(number, template, used, text, parts, notice_id)
        most -= 1


def _filled_in(template: Template, used: Mapping[str, str]) -> str:
    """Return the template's text with its values; never raises, whatever stands in it.

    A place is one of our values in braces, or what the provider calls it: the template's own name or its number, from
    1 on. A place that nobody knows is left empty, a brace that closes nothing stays.
    """
    shown = _places(template, used)
    return _PLACE.sub(lambda place: shown.get(place[1].strip(), ""), template.text)


def _places(template: Template, used: Mapping[str, str]) -> dict[str, str]:
    """Return what stands for each name of a place; our own names come first."""
    numbered = {str(number): used[name] for number, name in enumerate(template.parameters, start=1)}
    ours = {source: used[name] for name, source in template.parameters.items()}
    return {**numbered, **used, **ours}


def unfilled(template: Template) -> list[str]:
    """Return what looks like a place in the template's text and gets no value: its parts may be counted wrongly."""
    known = _places(template, dict.fromkeys(template.parameters, ""))
    unknown = [place[0] for place in _PLACE.finditer(template.text) if place[1].strip() not in known]
    return unknown + re.findall(r"[{}]", _PLACE.sub("", template.text))


def _shortened(value: str, most: int) -> str:
    plain = " ".join(_FORBIDDEN.sub("", value).split()) or "-"  # an empty value is refused by every provider
    return plain if len(plain) <= most else plain[: most - 1] + "…"


def prepared(gateway: Gateway, message: Message, url: str, nonce: str, now: datetime) -> Prepared:
    """Return the signed request. `nonce` differs with each attempt: providers refuse one that they have seen."""
    profile = gateway.profile
    fields = {name: _filled(value, gateway, message) for name, value in profile.fields.items()}
    return signed_request(gateway, profile.fixed, fields, url, nonce, now)


def signed_request(
    gateway: Gateway, fixed: Mapping[str, str], fields: Mapping[str, object], url: str, nonce: str, now: datetime
) -> Prepared:
    """Return a request of an account with its provider's proof; empty fields are left out."""
    profile = gateway.profile
    given = {name: value for name, value in fields.items() if value != ""}
    if profile.signature is Proof.ALIYUN_RPC:
        form = aliyun_signed(
            {**fixed, **{name: str(value) for name, value in given.items()}},
            key_id=gateway.key_id,
            key=gateway.key,
            nonce=nonce,
            now=now,
        )
        return Prepared(_form(form).encode(), "application/x-www-form-urlencoded", {})
    body = json.dumps(given, ensure_ascii=False).encode()
    if profile.signature is Proof.TC3:
        headers = tc3_signed(body, urlsplit(url).netloc, fixed, key_id=gateway.key_id, key=gateway.key, now=now)
        return Prepared(body, TC3_TYPE, headers)
    return Prepared(body, "application/json; charset=utf-8", {"authorization": f"Bearer {gateway.key}"})


def _filled(value: Value, gateway: Gateway, message: Message) -> object:
    number = message.number.replace("-", "")
    made: Mapping[Value, Callable[[], object]] = {
        Value.NUMBER: lambda: number,
        Value.E164: lambda: f"+86{number.removeprefix('0')}",
        Value.E164_LIST: lambda: [f"+86{number.removeprefix('0')}"],
        Value.TEMPLATE: lambda: message.template.code,
        Value.PARAMETERS: lambda: dict(message.values),
        Value.PARAMETERS_JSON: lambda: json.dumps(dict(message.values), ensure_ascii=False, separators=(",", ":")),
        Value.PARAMETERS_LIST: lambda: list(message.values.values()),
        Value.SIGN_NAME: lambda: gateway.sign_name,
        Value.APP_ID: lambda: gateway.app_id,
        Value.CALLER: lambda: gateway.caller,
        Value.NOTICE_ID: lambda: message.notice_id,
        Value.TEXT: lambda: message.text,
    }
    return made[value]()


def aliyun_signed(
    parameters: Mapping[str, str], *, key_id: str, key: str, nonce: str, now: datetime, method: str = "POST"
) -> dict[str, str]:
    """Return the parameters with Aliyun's RPC signature 1.0: HMAC-SHA1 over all of them in order, twice encoded."""
    signed = {
        **parameters,
        "AccessKeyId": key_id,
        "SignatureMethod": "HMAC-SHA1",
        "SignatureVersion": "1.0",
        "SignatureNonce": nonce,
        "Timestamp": now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    canonical = _form(dict(sorted(signed.items())))
    message = f"{method}&%2F&{quote(canonical, safe='')}"
    mark = hmac.digest(f"{key}&".encode(), message.encode(), hashlib.sha1)
    return {**signed, "Signature": base64.b64encode(mark).decode()}


TC3_TYPE = "application/json; charset=utf-8"


def tc3_signed(
    body: bytes, host: str, fixed: Mapping[str, str], *, key_id: str, key: str, now: datetime
) -> dict[str, str]:
    """Return the headers of Tencent Cloud's TC3-HMAC-SHA256: a key of the day signs the hash of the request."""
    stamp, day, service = str(int(now.timestamp())), now.astimezone(UTC).strftime("%Y-%m-%d"), fixed["Service"]
    names = "content-type;host"
    request = f"POST\n/\n\ncontent-type:{TC3_TYPE}\nhost:{host}\n\n{names}\n{hashlib.sha256(body).hexdigest()}"
    scope = f"{day}/{service}/tc3_request"
    to_sign = f"TC3-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
    secret = f"TC3{key}".encode()
    for piece in (day, service, "tc3_request"):
        secret = hmac.digest(secret, piece.encode(), hashlib.sha256)
    mark = hmac.new(secret, to_sign.encode(), hashlib.sha256).hexdigest()
    return {
        "authorization": f"TC3-HMAC-SHA256 Credential={key_id}/{scope}, SignedHeaders={names}, Signature={mark}",
        "x-tc-action": fixed["Action"],
        "x-tc-version": fixed["Version"],
        "x-tc-region": fixed["Region"],
        "x-tc-timestamp": stamp,
    }


def judged(profile: GatewayProfile, answer: object) -> Outcome | None:
    """Return what the answer means by the provider's own code; None when it has none."""
    code = next((found for path in profile.codes if (found := text_at(answer, path)) is not None), None)
    if code is None:
        accepted_without = not profile.accepted and profile.proof is not None and text_at(answer, profile.proof)
        return Outcome(None, "accepted", message_id=_message_id(profile, answer)) if accepted_without else None
    if code in profile.accepted:
        if profile.proof is not None and not text_at(answer, profile.proof):
            return Outcome(Reason.SERVER_ERROR, f"code {code[:60]} without proof")
        return Outcome(None, f"code {code[:60]}", message_id=_message_id(profile, answer))
    reason = _reason(profile.reasons, code)
    return Outcome(reason, f"code {code[:60]}", _wait(profile, reason))


def _wait(profile: GatewayProfile, reason: Reason) -> timedelta | None:
    if reason is Reason.QUOTA:
        return timedelta(hours=1)
    return profile.penalty if reason is Reason.THROTTLED else None


def _reason(reasons: Mapping[str, Reason], code: str) -> Reason:
    """Return the reason of the code, or of the longest beginning of it that has one."""
    while code:
        if code in reasons:
            return reasons[code]
        code = code.rpartition(".")[0]
    return Reason.SERVER_ERROR


def _message_id(profile: GatewayProfile, answer: object) -> str:
    """Return by which name the provider took the message; "" where it has none that can be kept."""
    found = text_at(answer, profile.message_id) or ""
    return found if found.isascii() and found.isprintable() and len(found) <= ID_CHARACTERS else ""


def found_at(answer: object, path: Path) -> object:
    """Return what stands there, None where nothing does."""
    for step in path:
        if isinstance(step, int):
            answer = answer[step] if isinstance(answer, Sequence) and not isinstance(answer, str) and answer else None
        else:
            answer = answer.get(step) if isinstance(answer, Mapping) else None
    return answer


def text_at(answer: object, path: Path) -> str | None:
    """Return what stands there as text; a provider's number is as good as its digits, true and false are no code."""
    found = found_at(answer, path)
    return str(found) if isinstance(found, str | int) and not isinstance(found, bool) else None


def _form(parameters: Mapping[str, str]) -> str:
    """Return the parameters as RFC 3986 encodes them, which is what Aliyun signs."""
    return "&".join(f"{quote(name, safe='~')}={quote(value, safe='~')}" for name, value in parameters.items())


def number_of(address: str) -> str:
    """Return the telephone number of an address `sms:13800138000` or `tel:0591-87654321`."""
    return address.partition(":")[2]

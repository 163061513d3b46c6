"""Group robots of DingTalk, WeCom and Feishu: how each is signed, written to, and what its answer means.

What a provider wants is data (`RobotProfile`), so that one more is a record and no code. All of them answer HTTP 200
to a message that they refuse: only their own code says whether it was accepted.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from services.alerts.domain.delivery.attempts import Outcome
from services.alerts.domain.delivery.reasons import Reason
from services.kernel.words import RobotProvider

_LINK = re.compile(r"https?://\S+")
_CUT = "\n……\n"


class Signature(StrEnum):
    """How a robot wants to be shown that we know its secret.

    `none`: the address is the secret. `query`: DingTalk, in the address, in milliseconds. `body`: Feishu, in the body,
    in seconds, with key and message the other way round.
    """

    NONE = "none"
    QUERY = "query"
    BODY = "body"


@dataclass(frozen=True, slots=True)
class RobotProfile:
    """What one provider wants.

    `text_path` leads to the text in the body, `code_key` to the provider's code in the answer, where 0 alone is
    accepted. `text_bytes` is the longest text in UTF-8. `per_minute` is how many messages a robot takes in a minute
    from everybody; `penalty` is how long it takes none after more than that.
    """

    signature: Signature
    body: Mapping[str, object]
    text_path: tuple[str, ...]
    code_key: str
    reasons: Mapping[int, Reason]
    text_bytes: int
    per_minute: int
    penalty: timedelta


PROFILES: Mapping[RobotProvider, RobotProfile] = {
    RobotProvider.DINGTALK: RobotProfile(
        signature=Signature.QUERY,
        body={"msgtype": "text"},
        text_path=("text", "content"),
        code_key="errcode",
        reasons={310000: Reason.AUTH, 130101: Reason.THROTTLED, 300001: Reason.AUTH, 400013: Reason.GONE},
        text_bytes=18_000,
        per_minute=20,
        penalty=timedelta(minutes=10),
    ),
    RobotProvider.WECOM: RobotProfile(
        signature=Signature.NONE,
        body={"msgtype": "text"},
        text_path=("text", "content"),
        code_key="errcode",
        reasons={45009: Reason.THROTTLED, 93000: Reason.AUTH},
        text_bytes=2_048,
        per_minute=20,
        penalty=timedelta(minutes=1),
    ),
    RobotProvider.FEISHU: RobotProfile(
        signature=Signature.BODY,
        body={"msg_type": "text"},
        text_path=("content", "text"),
        code_key="code",
        reasons={
            19021: Reason.AUTH,
            19022: Reason.AUTH,
            19024: Reason.REJECTED,
            9499: Reason.REJECTED,
            11232: Reason.THROTTLED,
        },
        text_bytes=18_000,
        per_minute=100,
        penalty=timedelta(minutes=1),
    ),
}
"""Sources: the providers' own pages on their robots; docs/design/alerting_ui.md 5.1 has the addresses."""


def provider_of(address: str) -> tuple[RobotProvider, str]:
    """Return provider and name of a robot written `provider:name`. Raises ValueError."""
    provider, _, name = address.partition(":")
    return RobotProvider(provider), name


def query_of(profile: RobotProfile, secret: str | None, now: datetime) -> dict[str, str]:
    """Return what belongs behind the robot's address."""
    if profile.signature is not Signature.QUERY or secret is None:
        return {}
    stamp = str(int(now.timestamp() * 1000))
    return {"timestamp": stamp, "sign": _signed(key=secret, message=f"{stamp}\n{secret}")}


def body_of(profile: RobotProfile, secret: str | None, text: str, now: datetime) -> dict[str, object]:
    """Return the body of one message; `text` is shortened to what the provider takes."""
    body = dict(profile.body)
    if profile.signature is Signature.BODY and secret is not None:
        stamp = str(int(now.timestamp()))
        body |= {"timestamp": stamp, "sign": _signed(key=f"{stamp}\n{secret}", message="")}
    outer, inner = profile.text_path
    body[outer] = {inner: shortened(text, profile.text_bytes)}
    return body


def shortened(text: str, most_bytes: int) -> str:
    """Return `text` in at most so many bytes of UTF-8: whole lines or characters, and its first link in any case."""
    if len(text.encode()) <= most_bytes:
        return text
    link = _LINK.search(text)
    end = _CUT + (link.group() if link is not None else "")
    if len(end.encode()) > most_bytes:
        end = _CUT
    kept = text.encode()[: most_bytes - len(end.encode())].decode(errors="ignore")
    begun = max(kept.rfind("\n"), kept.rfind(" "))
    if link is not None and link.start() < len(kept) < link.end():
        kept = kept[: link.start()]
    elif begun > len(kept) // 2:
        kept = kept[:begun]
    return kept.rstrip() + end


def judged(profile: RobotProfile, answer: object) -> Outcome:
    """Return what the answer to a message means; one without a code is no acceptance."""
    code = answer.get(profile.code_key) if isinstance(answer, dict) else None
    if not isinstance(code, int) or isinstance(code, bool):
        return Outcome(Reason.SERVER_ERROR, "no code in the answer")
    if code == 0:
        return Outcome(None, "code 0")
    reason = profile.reasons.get(code, Reason.SERVER_ERROR)
    return Outcome(reason, f"code {code}", profile.penalty if reason is Reason.THROTTLED else None)


def _signed(*, key: str, message: str) -> str:
    return base64.b64encode(hmac.digest(key.encode(), message.encode(), hashlib.sha256)).decode()

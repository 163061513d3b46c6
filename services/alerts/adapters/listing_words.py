"""What the states, levels and acts of listings are called in lines and on paper; the page's words are the same ones."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from services.alerts.domain.listing.listing import BY_LADDER
from services.kernel.words import ListingAct, ListingLevel, ListingState


class Words(NamedTuple):
    zh: str
    en: str

    def __str__(self) -> str:
        return f"{self.zh} {self.en}"


STATES = {
    ListingState.PROPOSED: Words("待决定", "Proposed"),
    ListingState.DECLINED: Words("不予挂牌", "Declined"),
    ListingState.WITHDRAWN: Words("已撤回", "Withdrawn"),
    ListingState.LISTED: Words("挂牌督办中", "Listed"),
    ListingState.RECHECK: Words("待复查", "To be re-checked"),
    ListingState.APPROVAL: Words("待批准销案", "To be approved"),
    ListingState.CLOSED: Words("已销案", "Closed"),
}
LEVELS = {
    ListingLevel.DISTRICT: Words("区级", "District"),
    ListingLevel.CITY: Words("市级", "City"),
    ListingLevel.PROVINCE: Words("省级", "Province"),
}
ACTS = {
    ListingAct.PROPOSE: Words("提请挂牌督办", "Proposed to list"),
    ListingAct.WITHDRAW: Words("撤回提请", "Proposal withdrawn"),
    ListingAct.DECLINE: Words("登记不予挂牌", "Declined"),
    ListingAct.LIST: Words("登记挂牌", "Listed"),
    ListingAct.ASK_EXTENSION: Words("申请延期", "Extension asked for"),
    ListingAct.GRANT_EXTENSION: Words("同意延期", "Extension granted"),
    ListingAct.REFUSE_EXTENSION: Words("不同意延期", "Extension refused"),
    ListingAct.HAND_IN: Words("提交整改证据", "Evidence handed in"),
    ListingAct.PASS_RECHECK: Words("复查合格", "Re-check passed"),
    ListingAct.FAIL_RECHECK: Words("复查不合格，退回", "Re-check failed, sent back"),
    ListingAct.APPROVE_CLOSURE: Words("批准销案", "Closure approved"),
    ListingAct.REFUSE_CLOSURE: Words("不批准销案，退回", "Closure refused, sent back"),
}
LADDER = Words("升级阶梯", "the ladder")


def by(account: str) -> str:
    """Return who did it; a step of the ladder is no account."""
    return str(LADDER) if account == BY_LADDER else account


def said(detail: Mapping[str, Any]) -> Iterator[str]:
    """Yield what was said with an act, in the order in which the page shows it."""
    if detail.get("level"):
        yield str(LEVELS[ListingLevel(detail["level"])])
    until = detail.get("until") or detail.get("asked_until")
    for value in (*(detail.get(name) for name in ("text", "reason", "document", "inspector", "on")), until):
        if value:
            yield str(value)
    yield from detail.get("files", ())
    if detail.get("source"):
        yield str(detail["source"])

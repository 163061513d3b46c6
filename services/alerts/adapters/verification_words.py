"""What findings and causes of alarms are called in the evidence bundle; the page's words are the same ones."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import NamedTuple

from services.alerts.domain.audit.chain import Link
from services.kernel.words import AlarmCause, Verification

FINDINGS = {
    Verification.TRUE_ALARM: ("真警", "True alarm"),
    Verification.FALSE_ALARM: ("误报", "False alarm"),
}
CAUSES = {
    AlarmCause.ELECTRICAL: ("电气", "Electrical"),
    AlarmCause.OPEN_FLAME: ("用火不慎、吸烟", "Open flame, smoking"),
    AlarmCause.COOKING: ("厨房用火", "Cooking"),
    AlarmCause.HOT_WORK: ("动火作业", "Hot work"),
    AlarmCause.ARSON_SUSPECTED: ("放火嫌疑", "Arson suspected"),
    AlarmCause.FUMES: ("环境干扰（蒸汽、粉尘、油烟）", "Steam, dust or cooking fumes"),
    AlarmCause.INSECT: ("昆虫", "Insect"),
    AlarmCause.DEVICE_FAULT: ("设备故障", "Device fault"),
    AlarmCause.WORKS: ("施工影响", "Works on site"),
    AlarmCause.PRESSED_BY_MISTAKE: ("人为误触（手动报警按钮）", "Call point pressed by mistake"),
    AlarmCause.UNANNOUNCED_TEST: ("未报备的测试", "Test that was not announced"),
    AlarmCause.OTHER: ("其他", "Other"),
    AlarmCause.UNKNOWN: ("尚不清楚", "Not known yet"),
}


class Found(NamedTuple):
    """A verification as it is printed. `cause` "": nobody said one."""

    at: datetime
    by: str
    finding: str
    cause: str
    note: str


def verified_in(entries: Iterable[Link]) -> Iterator[Found]:
    """Yield the verifications among sealed entries, in their order."""
    for entry in (link.entry for link in entries if link.entry.action == "verified"):
        cause = entry.detail.get("cause")
        finding = " ".join(FINDINGS[Verification(str(entry.detail["finding"]))])
        said = " ".join(CAUSES[AlarmCause(str(cause))]) if cause else ""
        yield Found(entry.at, entry.actor, finding, said, str(entry.detail.get("note") or ""))

"""What stands around every letter, and how instants are written, in each language."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date as Date
from datetime import datetime
from typing import Any

from services.documents.domain.letter import Letter
from services.documents.domain.request import Standing
from services.kernel.calendar import CHINA
from services.kernel.words import Grade, Language, ScoreGap

MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
"""Not the machine's: a letter reads alike wherever it is made."""


@dataclass(frozen=True, slots=True)
class Labels:
    language: Language
    colon: str
    colon_and: str
    comma: str
    stop: str
    indent: str
    right: str
    copies: str
    attachment: str
    link: str
    translation: str
    draft: str
    seal: str
    blank_number: str
    blank_date: str
    none: str
    components: str
    component_columns: tuple[str, ...]
    standings: str
    standing_columns: tuple[str, ...]
    semicolon: str
    points: str
    revised: str
    by_revision: str
    left_out: str
    provisional_score: str
    years_running: str
    open_grade: str
    grades: Mapping[Grade, str]
    gaps: Mapping[ScoreGap, str]
    slip: str
    slip_intro: str
    slip_foot: str
    slip_blanks: tuple[str, ...]
    check_blanks: tuple[str, ...]
    number: str
    document: str
    receiver: str
    evidence: str
    evidence_intro: str
    case: str
    request: str
    subject: str
    kind: str
    clauses: str
    pack: str
    log: str
    template: str
    page: str
    substituted: str
    provisional: str
    provisional_dates: str
    """`years`: whose holidays were not published when a date of the letter was counted."""

    def listed(self, said: Iterable[str]) -> str:
        return self.semicolon.join(said)

    def between(self, low: str, high: str) -> str:
        """Return bounds as one text, one of them where they are alike; "" where there are none."""
        return low if low == high else f"{low}–{high}"

    def grade_of(self, one: Standing) -> str:
        """Return the grade, or between which ones it is open."""
        if one.grade is not None:
            return self.grades[one.grade]
        if one.worst is None or one.best is None:
            return self.none
        return self.open_grade.format(worst=self.grades[one.worst], best=self.grades[one.best])

    def score_of(self, one: Standing) -> str:
        """Return points and grade of a body on a list."""
        return self.comma.join([self.points.format(n=self.between(one.low, one.high)), self.grade_of(one)])


LABELS = {
    Language.ZH: Labels(
        language=Language.ZH,
        colon="：",
        colon_and="：",
        comma="，",
        stop="。",
        indent="　　",
        right="　" * 20,
        copies="抄送：",
        attachment="附件",
        link="查看与签收：",
        translation="",
        draft="草稿，由签发机关编号、签署日期并加盖印章后生效",
        seal="（印章）",
        blank_number="　　　　〔　　　　〕　　号",
        blank_date="　　　　年　　月　　日",
        none="—",
        components="存在问题的部件清单",
        component_columns=("序号", "名称", "系统", "部件地址", "起始时间"),
        standings="考核情况表",
        standing_columns=("名次", "考核对象", "指标与各项得分", "得分", "等次", "缺项与说明"),
        semicolon="；",
        points="{n}分",
        revised="{said}（第{n}版）",
        by_revision="得分以附件所列版次为准，各版次均存档",
        left_out="不计",
        provisional_score="暂定",
        years_running="连续{n}年不称职",
        open_grade="未定（{worst}至{best}）",
        grades={
            Grade.EXCELLENT: "优秀",
            Grade.GOOD: "良好",
            Grade.COMPETENT: "称职",
            Grade.NOT_COMPETENT: "不称职",
        },
        gaps={
            ScoreGap.NO_FIGURE: "指标未发布",
            ScoreGap.NOTHING_COUNTED: "无可统计对象",
            ScoreGap.BLIND: "含未监测时间",
            ScoreGap.NOT_ENTERED: "人工评分未录入",
            ScoreGap.NOT_DECIDED: "挂牌督办整改证据待复查或延期待批",
            ScoreGap.NO_MONTH: "缺月份得分",
        },
        slip="回执",
        slip_intro="请填写后送回发文单位。",
        slip_foot="（受文单位印章）",
        slip_blanks=("签收人", "职务", "联系电话", "签收时间", "办理情况"),
        check_blanks=("核查人", "联系电话", "核查时间", "值守情况", "问题是否属实", "原因", "已采取的措施"),
        number="文号",
        document="文件名称",
        receiver="受文单位",
        evidence="证据单",
        evidence_intro="本页供核验使用，为系统内部记录，不属于文件正文。",
        case="案件",
        request="来源",
        subject="登记编号",
        kind="类别",
        clauses="依据（政策包引用）",
        pack="政策包",
        log="证据位置",
        template="文本版本",
        page="第 {0} 页",
        substituted="本机缺少规定字体（{missing}），以 {used} 代替。",
        provisional="暂定：期间尚未结算",
        provisional_dates="{years}年节假日安排尚未公布，上述按工作日计算的期限为暂定，公布后按安排重新计算，以查询结果为准。",
    ),
    Language.EN: Labels(
        language=Language.EN,
        colon=":",
        colon_and=": ",
        comma=", ",
        stop=".",
        indent="",
        right=" " * 40,
        copies="Copies to: ",
        attachment="Attachment",
        link="View and acknowledge: ",
        translation="A translation; the Chinese text is the document.",
        draft="Draft: it takes effect once its issuer has numbered, dated and sealed it",
        seal="(seal)",
        blank_number="________〔____〕___号",
        blank_date="____ __________ ______",
        none="—",
        components="Components concerned",
        component_columns=("No.", "Name", "System", "Component", "Since"),
        standings="Scores by body",
        standing_columns=("Place", "Body", "Figures and points", "Score", "Grade", "Open, remarks"),
        semicolon="; ",
        points="{n} points",
        revised="{said} (revision {n})",
        by_revision="the revisions of the scores in the attachment; all of them are kept",
        left_out="left out",
        provisional_score="provisional",
        years_running="not competent {n} years running",
        open_grade="open ({worst} to {best})",
        grades={
            Grade.EXCELLENT: "excellent",
            Grade.GOOD: "good",
            Grade.COMPETENT: "competent",
            Grade.NOT_COMPETENT: "not competent",
        },
        gaps={
            ScoreGap.NO_FIGURE: "no figure is published",
            ScoreGap.NOTHING_COUNTED: "nothing to count",
            ScoreGap.BLIND: "has time that was not seen",
            ScoreGap.NOT_ENTERED: "points not entered",
            ScoreGap.NOT_DECIDED: "evidence of a listing, or an extension, is not decided on",
            ScoreGap.NO_MONTH: "a month without a score",
        },
        slip="Receipt",
        slip_intro="Please fill in and return to the issuer.",
        slip_foot="(seal of the receiver)",
        slip_blanks=("Received by", "Position", "Telephone", "Received at", "What was done"),
        check_blanks=("Checked by", "Telephone", "Checked at", "Control room manned", "Trouble is real", "Cause",
                      "What was done"),
        number="Number",
        document="Document",
        receiver="Receiver",
        evidence="Evidence sheet",
        evidence_intro="For verification: our internal record, no part of the document.",
        case="Case",
        request="Source",
        subject="Register id",
        kind="Kind",
        clauses="Clauses as the pack cites them",
        pack="Policy pack",
        log="Place in the log",
        template="Wording",
        page="Page {0}",
        substituted="Fonts that the form asks for are missing here ({missing}); {used} stands in.",
        provisional="Provisional: the period is not closed",
        provisional_dates=(
            "The holidays of {years} are not published yet: dates that are counted in working days are provisional and"
            " will be counted again; what is shown online holds."
        ),
    ),
}  # fmt: skip


def moment(language: Language, instant: datetime) -> str:
    """Return an instant as a letter writes it, in China's time."""
    at = instant.astimezone(CHINA)
    if language is Language.ZH:
        return f"{at.year}年{at.month}月{at.day}日{at.hour}时{at.minute:02}分"
    return f"{at.hour:02}:{at.minute:02} on {day(language, instant)}"


def day(language: Language, when: Date) -> str:
    """Return the day as a letter is dated: Arabic digits without leading zeros (GB/T 9704)."""
    at: Date = when.astimezone(CHINA).date() if isinstance(when, datetime) else when
    if language is Language.ZH:
        return f"{at.year}年{at.month}月{at.day}日"
    return f"{at.day} {MONTHS[at.month - 1]} {at.year}"


def counted(number: int) -> str:
    """Return a Chinese count from one to ninety-nine: 一, 十, 十一, 二十."""
    return _COUNTS[number - 1]


_ONES = "一二三四五六七八九"
_COUNTS: tuple[str, ...] = (*_ONES, *(f"{ten}十{one}" for ten in ("", *_ONES[1:]) for one in ("", *_ONES)))


def printed(letter: Letter) -> dict[str, Any]:
    """Return what reads alike on the page, in the text and on the sheet, by the names that their templates have."""
    words = LABELS[letter.language]
    return {
        "lang": str(letter.language),
        "draft": letter.draft,
        "head": str(letter.head),
        "issuer": letter.issuer,
        "number": letter.number or words.blank_number,
        "title": letter.title,
        "addressee": letter.addressee,
        "date": letter.date or words.blank_date,
        "copies": words.comma.join(letter.copies),
    }

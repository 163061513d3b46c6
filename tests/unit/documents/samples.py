"""A request of every kind of document, plain and with long names and many components."""

from datetime import timedelta
from typing import Any

from services.documents.domain.request import Request
from services.kernel.words import FindingKind, Instrument
from tests.unit.documents.build import T0, at, request

BRIGADE = {"code": "brigade", "name": {"zh": "鼓楼区消防救援大队", "en": "Fire and Rescue Brigade of Gulou District"}}
OFFICE = {
    "code": "committee",
    "name": {"zh": "鼓楼区消防安全委员会办公室", "en": "Office of the Committee"},
}
STREET = {"code": "T01", "name": {"zh": "示范街道消防工作站", "en": "Fire Work Station of Sample Street"}}
STATION = {"zh": "示范街道", "en": "Sample street"}
HOSPITAL = {"zh": "第一人民医院", "en": "First People's Hospital"}
GRID_OFFICER = {"zh": "属地网格员", "en": "grid officer"}
LONG = {
    "zh": "福州市鼓楼区第一人民医院（福建医科大学附属协和医院东街口院区）门诊综合楼及地下停车场联合管理委员会",
    "en": "Joint Administration of the Outpatient Complex and Underground Car Park of the First People's Hospital of "
    "Gulou District, Dongjiekou Campus",
}
CLAUSES = {
    Instrument.FAULT_NOTICE: "003 street 6",
    Instrument.CHECK_TASK: "003 street 14, 19; 004 一; proposal +1 h (NFPA 72 single path 60 min)",
    Instrument.URGING_NOTICE: "001 一(五)(六); 003 street 15, 17; proposal +4 h (NFPA 72 trouble signal)",
    Instrument.COPY_NOTICE: "002 三; 004 四(二); 003 street 5; proposal +24 h",
    Instrument.CORRECTION_ORDER: "003 brigade 三; proposal +3 working days",
    Instrument.CIRCULAR: "003 street 1; 004 五(三)",
    Instrument.LISTED_SUPERVISION: "000 三 5; 003 street 16",
    Instrument.LISTING_CLOSURE: "000 三 5",
    Instrument.INTERVIEW: "003 street (四); 001 一(七)",
    Instrument.ACCOUNTABILITY: "001 一(七); 001 三",
}
EARLIER = [
    {"at": at(-86400).isoformat(), "to": [HOSPITAL], "number": "消监告〔2026〕3号"},
    {"at": at(-82800).isoformat(), "to": [GRID_OFFICER, STATION], "number": "消监核〔2026〕2号"},
    {"at": at(-72000).isoformat(), "to": [STATION]},
]  # fmt: skip
ABOUT_A_UNIT: dict[Instrument, dict[str, Any]] = {
    Instrument.CHECK_TASK: {"addressee": {"zh": "属地网格员", "en": "grid officer"}, "copies": [LONG]},
    Instrument.URGING_NOTICE: {"issuer": STREET, "copies": [STATION]},
    Instrument.COPY_NOTICE: {
        "issuer": BRIGADE,
        "addressee": {"zh": "鼓楼区卫生健康局", "en": "Health Bureau"},
        "copies": [STATION],
        "reply_due_at": at(3 * 86400).isoformat(),
    },
    Instrument.CORRECTION_ORDER: {"issuer": BRIGADE, "copies": [STATION]},
    Instrument.LISTED_SUPERVISION: {
        "issuer": BRIGADE,
        "addressee": {"zh": "鼓楼区人民政府", "en": "Government of Gulou District"},
        "copies": [],
    },
    Instrument.LISTING_CLOSURE: {
        "issuer": BRIGADE,
        "listed": {
            "level": "district",
            "number": "鼓政办〔2026〕88号",
            "on": "2026-10-20",
            "deadline": "2026-11-30",
            "evidence": 3,
            "inspector": "李建国",
            "rechecked_on": "2026-11-21",
            "approved_on": "2026-11-22",
            "cured_at": at(-3600).isoformat(),
        },
    },
}
NETWORKING = {"zh": "重点单位联网率", "en": "Networking rate of key units"}
VISITS = {"zh": "巡查与隐患整改", "en": "Visits and dangers put right"}
ACCESS = {"zh": "新建建筑接入率", "en": "Access rate of new buildings"}
ABOUT_A_BODY: dict[Instrument, dict[str, Any]] = {
    Instrument.CIRCULAR: {
        "issuer": OFFICE,
        "addressee": {"zh": "各街道、各成员单位", "en": "all streets and members"},
        "circular": {
            "period": {"zh": "2026年10月", "en": "October 2026"},
            "measure": {"zh": "街镇消防工作站月度考核", "en": "Monthly evaluation of town work stations"},
            "standings": [
                {
                    "body": {"zh": f"第{n}街道", "en": f"Street no. {n}"},
                    "measured": [
                        {
                            "what": NETWORKING,
                            "rate_low": f"{99 - n}.0",
                            "rate_high": f"{99 - n}.0",
                            "low": f"{50 - n}.0",
                            "high": f"{50 - n}.0",
                        },
                        {"what": VISITS, "low": f"{45 - n}.0", "high": f"{45 - n}.0"},
                    ],
                    "low": f"{95 - 2 * n}.0",
                    "high": f"{95 - 2 * n}.0",
                    "grade": grade,
                    "worst": grade,
                    "best": grade,
                    "provisional": False,
                    "list": {"excellent": "green", "not_competent": "red"}.get(grade),
                    "place": n + 1 if n < 2 else None,
                    "revision": 1 + n % 2,
                    "rule_years": 2 if n == 3 else 0,
                }
                for n, grade in enumerate(("excellent", "good", "competent", "not_competent"))
            ]
            + [
                {
                    "body": {"zh": "第4街道", "en": "Street no. 4"},
                    "measured": [
                        {
                            "what": NETWORKING,
                            "rate_low": "93.0",
                            "rate_high": "97.5",
                            "low": "40.0",
                            "high": "46.5",
                            "gap": "blind",
                        },
                        {"what": VISITS, "gap": "not_entered"},
                        {"what": ACCESS, "gap": "nothing_counted", "left_out": True},
                    ],
                    "low": "40.0",
                    "high": "91.5",
                    "worst": "not_competent",
                    "best": "excellent",
                    "provisional": True,
                    "gaps": ["blind", "not_entered"],
                    "revision": 3,
                }
            ],
        },
    },
    Instrument.INTERVIEW: {
        "issuer": OFFICE,
        "addressee": {"zh": "示范街道办事处", "en": "Sample street office"},
        "meeting": {"at": at(5 * 86400).isoformat(), "place": "区政府三号会议室"},
    },
    Instrument.ACCOUNTABILITY: {
        "issuer": OFFICE,
        "addressee": {"zh": "鼓楼区纪委监委", "en": "Discipline and Supervision Commission"},
    },
}
GROUNDS = [
    {
        "on": "2025-12-31",
        "fact": {"zh": "2025年度考评为不称职", "en": "graded not competent for 2025"},
        "number": "消安办通〔2026〕2号",
    },
    {"on": "2026-11-20", "fact": {"zh": "2026年度考评为不称职", "en": "graded not competent for 2026"}},
]
CLOSES = [
    {
        "on": "2026-03-31",
        "fact": {
            "zh": "2026年3月时段联网率为99.0%，目标为不低于100%"
            "（重点单位中设有自动消防设施的人员密集场所和易燃易爆场所）",
            "en": "Time-weighted networking rate for March 2026 was 99.0 %, the target is at least 100 % (key units "
            "with automatic fire facilities that are crowded or flammable places)",
        },
    },
    {
        "on": "2026-06-30",
        "fact": {
            "zh": "2026年第2季度联网接入率为97.5%，目标为不低于100%（新（改、扩）建具有火灾自动报警系统的建筑）",
            "en": "Access rate for quarter 2 of 2026 was 97.5 %, the target is at least 100 % (new buildings)",
        },
    },
]
MANY = [
    {
        "address": f"2-{n + 100}",
        "system": "1",
        "label": f"门诊综合楼{n}层东侧走廊尽头防火分区感烟火灾探测器" if n % 3 else "",
        "since": (T0 - timedelta(hours=n)).isoformat(),
    }
    for n in range(1, 61)
]
VARIANTS = ("plain", "long")


def about_a_body(code: str) -> Request:
    """Return a request as alerts makes it of a case of a body: what it missed, and nobody knows of a meeting yet."""
    office = (
        OFFICE if code != "I6" else {"code": "centre", "name": {"zh": "消防远程监控中心", "en": "Monitoring Centre"}}
    )
    said: dict[str, Any] = {
        "instrument": code,
        "languages": ["zh", "en"],
        "clause": CLAUSES[Instrument(code)],
        "issuer": office,
        "addressee": {"zh": "示范街道", "en": "Sample street"},
        "about": {"zh": "示范街道", "en": "Sample street"},
        "grounds": CLOSES,
        "copies": [{"zh": "区消防安全委员会办公室", "en": "Office of the Committee"}] if code == "I6" else [],
        "reply_due_at": at(10 * 86400).isoformat() if code == "I6" else None,
    }
    return request(**said, unit=None, trouble=None, due_at=None)


def sample(code: str, variant: str = "plain", kind: FindingKind = FindingKind.FAULT) -> Request:
    """Return a request of this kind of document."""
    instrument = Instrument(code)
    both: dict[str, Any] = {"instrument": code, "languages": ["zh", "en"], "clause": CLAUSES[instrument]}
    if instrument in ABOUT_A_BODY:
        about: dict[str, Any] = {}
        if instrument is not Instrument.CIRCULAR:
            about = {"about": {"zh": "示范街道办事处", "en": "the Sample street office"}, "grounds": GROUNDS}
        return request(**both, **about, unit=None, trouble=None, copies=[], due_at=None, **ABOUT_A_BODY[instrument])
    name = LONG if variant == "long" else HOSPITAL
    unit = {
        "unit_id": "U000001",
        "name": name,
        "address": "示范路1号" if variant == "plain" else "鼓楼区东街口八一七北路与杨桥东路交叉口西北角" * 3,
        "category": {"zh": "医疗卫生机构", "en": "Hospital, clinic, family-planning service"},
        "town": STATION,
        "responsible": "林建国",
    }
    trouble = {
        "kind": kind,
        "since": at(-90000).isoformat(),
        "detected_at": at(-89000).isoformat(),
        "component": {"address": "1-002", "system": "1", "label": "二层走廊烟感"},
        "components": MANY if variant == "long" else [],
        "occurrence": 2 if variant == "long" else 1,
    }
    both |= {"addressee": name, "unit": unit, "trouble": trouble, "earlier": EARLIER, "due_at": at(86400).isoformat()}
    if instrument is Instrument.FAULT_NOTICE:
        both["earlier"] = []
    return request(kind=kind, **(both | ABOUT_A_UNIT.get(instrument, {})))

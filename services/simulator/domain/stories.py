"""The scripts that come with the simulator: `demo`, `storm`, `quiet`."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from services.kernel.words import SignalKind
from services.simulator.domain.district import HERO, District, Unit
from services.simulator.domain.script import Act, Event, Pace
from services.simulator.domain.signals import Point

SMOKE = Point("2-014", "smoke_detector", "三层走廊感烟探测器 corridor, 3rd floor")
PUMP = Point("P-01", "pump_controller", "喷淋泵控制柜 sprinkler pump panel")
ZONE = Point("Z-07", "zone", "地下车库分区 basement garage zone")
START_S = 20.0
OUTAGE_S = 25.0
"""So long the units of a carrier are offline: less than the pack holds their notices, at the demo's rate too."""

WHERE = {
    "H0": ("监控中心、单位消控室、维保单位收到告知", "the centre, the control room and the maintenance firm are told"),
    "H1": ("单位管理人、网格员收到核查任务", "the unit's manager and the grid officer get a check task"),
    "H2": ("街镇消防工作站收到督促整改", "the street's fire work station gets an urging notice"),
    "H3": ("大队值班看板出现该单位", "the brigade's board shows the unit"),
    "H4": ("卫生健康局收到抄告函（电子邮件）", "the Health Bureau gets the copy-notice by e-mail"),
}


def quiet(district: District, pace: Pace) -> list[Event]:
    """Nothing happens: everybody sends."""
    return [_tell(0, f"{len(district.speaking())}台装置上线", f"{len(district.speaking())} gateways begin to send")]


def demo(district: District, pace: Pace) -> list[Event]:
    """A hospital falls silent and its case climbs to the department; a fire in the middle; recovery and all-clear."""
    drop_s = max(START_S, 2 * pace.heartbeat_s)
    offline_s = drop_s + pace.deadline_s
    fire_s = offline_s + (pace.step_s("H2") + pace.step_s("H3")) / 2
    back_s = offline_s + pace.step_s("H4") + max(15.0, 2 * pace.heartbeat_s)
    events = [
        *quiet(district, pace),
        *_hospital(district, pace, drop_s, offline_s, back_s),
        *_fire(_unit(district, "HOTEL_STAR"), fire_s, max(20.0, fire_s / 20)),
        *_trouble(district, drop_s + 5, back_s + 10),
        *_device_trouble(district, drop_s + 8, back_s + 12),
        *_outage(district, back_s + 30 + pace.deadline_s, pace),
    ]
    return sorted(events, key=lambda event: event.at_s)


def storm(district: District, pace: Pace) -> list[Event]:
    """A carrier fails and takes its units with it; a fire is reported in the middle; units flap; all come back."""
    begin_s = max(10.0, 2 * pace.heartbeat_s)
    outage = list(_outage(district, begin_s, pace))
    middle_s = begin_s + pace.deadline_s + 5
    flapping = _unit(district, "SHOP_MARKET")
    return sorted(
        [
            *quiet(district, pace),
            *outage,
            *_fire(_unit(district, "HOTEL_STAR"), middle_s, 15),
            *_flap(flapping, outage[-1].at_s + 20 + pace.deadline_s, pace),
        ],
        key=lambda event: event.at_s,
    )


STORIES: Mapping[str, Callable[[District, Pace], Sequence[Event]]] = {"demo": demo, "storm": storm, "quiet": quiet}


def _hospital(district: District, pace: Pace, drop_s: float, offline_s: float, back_s: float) -> Iterator[Event]:
    hero = district.unit(HERO)
    total = sum(unit.in_s1 for unit in district.units)
    yield Event(
        drop_s, Act.DROP, (HERO,),
        zh=f"{hero.name}的联网装置断线。看页面：先“迟到”，{pace.deadline_s:.0f}秒后“离线”",
        en=f"{hero.name_en}'s gateway falls silent. Watch it turn late, then offline after {pace.deadline_s:.0f} s",
    )  # fmt: skip
    yield _tell(
        offline_s,
        f"{hero.name}离线：S1联网率恰好下降1/{total}",
        f"{hero.name_en} is offline: S1 falls by exactly 1/{total}",
    )
    for code, (zh, en) in WHERE.items():
        yield _tell(offline_s + pace.step_s(code), f"{code}：{zh}", f"{code}: {en}")
    yield Event(
        back_s, Act.RECOVER, (HERO,),
        zh=f"{hero.name}恢复联网：联网率回升，被告知的同一批人收到解除通知",
        en=f"{hero.name_en} is back: the rate recovers, and exactly those who were told get the all-clear",
    )  # fmt: skip


def _fire(unit: Unit, at_s: float, burns_s: float) -> Iterator[Event]:
    yield Event(
        at_s, Act.SIGNAL, (unit.unit_id,), kind=SignalKind.FIRE, point=SMOKE,
        zh=f"火警！{unit.name}：一秒内出现在页面，并推送到监控中心",
        en=f"FIRE at {unit.name_en}: on the page and at the centre's webhook within a second",
    )  # fmt: skip
    yield Event(
        at_s + burns_s, Act.SIGNAL, (unit.unit_id,), kind=SignalKind.RESTORE, restores=SignalKind.FIRE, point=SMOKE,
        zh=f"{unit.name}火警解除", en=f"the fire alarm at {unit.name_en} is over",
    )  # fmt: skip


def _trouble(district: District, at_s: float, until_s: float) -> Iterator[Event]:
    school, plaza = _unit(district, "SCHOOL"), _unit(district, "COMPLEX")
    yield Event(
        at_s, Act.SIGNAL, (school.unit_id,), kind=SignalKind.FAULT, point=PUMP,
        zh=f"{school.name}：喷淋泵故障（联网正常，健康异常，两个状态分开）",
        en=f"{school.name_en}: sprinkler pump fault (still online: connection and health are two things)",
    )  # fmt: skip
    yield Event(
        at_s + 5, Act.SIGNAL, (plaza.unit_id,), kind=SignalKind.ISOLATION, point=ZONE,
        zh=f"{plaza.name}：一个分区被屏蔽", en=f"{plaza.name_en}: one zone is isolated",
    )  # fmt: skip
    yield Event(
        until_s, Act.SIGNAL, (school.unit_id,), kind=SignalKind.RESTORE, restores=SignalKind.FAULT, point=PUMP,
        zh=f"{school.name}故障恢复", en=f"the fault at {school.name_en} is cleared",
    )  # fmt: skip
    yield Event(
        until_s, Act.SIGNAL, (plaza.unit_id,), kind=SignalKind.RESTORE, restores=SignalKind.ISOLATION, point=ZONE,
        zh=f"{plaza.name}屏蔽解除", en=f"the isolation at {plaza.name_en} is lifted",
    )  # fmt: skip


def _device_trouble(district: District, at_s: float, until_s: float) -> Iterator[Event]:
    devices = [gateway for gateway in district.speaking() if gateway.device is not None]
    for device in devices[:1]:
        unit = district.unit(device.unit_id)
        yield Event(
            at_s, Act.SIGNAL, (unit.unit_id,), kind=SignalKind.FAULT,
            zh=f"{unit.name}的传输装置以GB/T 26875.3上报主电故障，中心确认该帧",
            en=f"{unit.name_en}'s transmission device reports, in GB/T 26875.3, that its main power has failed",
        )  # fmt: skip
        yield Event(
            until_s, Act.SIGNAL, (unit.unit_id,), kind=SignalKind.RESTORE, restores=SignalKind.FAULT,
            zh=f"{unit.name}的传输装置主电恢复", en=f"the device at {unit.name_en} has its main power back",
        )  # fmt: skip


def _outage(district: District, at_s: float, pace: Pace) -> Iterator[Event]:
    hero = district.gateways_of(HERO)[0].carrier
    carrier = next((each.carrier for each in district.gateways if each.carrier != hero), hero)
    count = sum(each.carrier == carrier for each in district.speaking())
    yield Event(
        at_s, Act.MUTE, carrier=carrier,
        zh=f"运营商{carrier}中断，{count}台装置同时失声：合并为一个共因案件，监控中心只收到一条；各单位通知暂缓，及时恢复的不发",
        en=f"{carrier} fails, {count} gateways fall silent at once: one common case, and the centre hears of it once; "
        "the units' own notices wait, and whoever is back in time gets none",
    )  # fmt: skip
    yield Event(
        at_s + pace.deadline_s + OUTAGE_S, Act.RECOVER, carrier=carrier,
        zh=f"运营商{carrier}恢复", en=f"{carrier} is back",
    )  # fmt: skip


def _flap(unit: Unit, at_s: float, pace: Pace) -> Iterator[Event]:
    for turn in range(3):
        begin_s = at_s + turn * (pace.deadline_s + 10 + 3 * pace.heartbeat_s)
        yield Event(
            begin_s, Act.MUTE, (unit.unit_id,),
            zh=f"{unit.name}第{turn + 1}次掉线（同一案件，不重复开案）",
            en=f"{unit.name_en} drops for the {('first', 'second', 'third')[turn]} time (one case, not three)",
        )  # fmt: skip
        yield Event(begin_s + pace.deadline_s + 5, Act.RECOVER, (unit.unit_id,), zh="又恢复", en="and comes back")


def _unit(district: District, category: str) -> Unit:
    """Return the first connected unit of a category, or just the first connected one of a small district."""
    connected = [unit for unit in district.units if unit.commissioned_on is not None and unit.unit_id != HERO]
    fitting = [unit for unit in connected if unit.category == category]
    return (fitting or connected or list(district.units))[0]


def _tell(at_s: float, zh: str, en: str) -> Event:
    return Event(at_s, Act.TELL, zh=zh, en=en)

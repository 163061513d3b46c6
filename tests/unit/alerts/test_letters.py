"""Letters as they are read: a snapshot of each template in both languages, in tests/unit/alerts/letters/.

A change of a template's text is a new version of it: raise it in `VERSIONS`, keep the old file, and write the
snapshots anew with `python -m tests.unit.alerts.test_letters`.
"""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from services.alerts.adapters.letter_writer import VERSIONS, TemplateWriter
from services.alerts.domain.case.case import Case, Grouping, Sightings
from services.alerts.domain.case.event import Component, Event, Happening
from services.alerts.domain.case.fire import FireState
from services.alerts.domain.case.kinds import CaseKind
from services.alerts.domain.case.lifecycle import close
from services.alerts.domain.delivery.letters import (
    Letter,
    component_step,
    letter_again,
    letter_of_all_clear,
    letter_of_step,
)
from services.alerts.domain.delivery.notice import About, Notice
from services.alerts.domain.ids import CaseId, NoticeId
from services.alerts.domain.routing.contacts import Address, Telephones
from services.kernel.words import Channel, Purpose
from tests.unit.alerts.build import T0, address, at, case, clocks, event, unit

FOLDER = Path(__file__).parent / "letters"
WRITER = TemplateWriter("https://console.firenet-demo.cn/")
SAMPLE = unit("U000123", name="第一人民医院", name_en="First People's Hospital")


def letters() -> dict[str, Letter]:
    lost = replace(case(), case_id=CaseId("C0123456789abcdef"), facts=SAMPLE)
    demand = replace(lost, clocks=clocks(reply=("H4", 3 * 86400)), sightings=Sightings(T0, drops=2))
    fire = replace(case(CaseKind.FIRE), case_id=CaseId("Cfedcba9876543210"), facts=SAMPLE, fire=FireState(alarms=2))
    second = replace(event(Happening.FIRED, kind=CaseKind.FIRE), component=Component("1-002", "主机1", "二层走廊烟感"))
    common = replace(
        lost,
        kind=CaseKind.COMMON_CAUSE,
        sightings=Sightings(T0, 80),
        grouping=Grouping("carrier:cmcc", held_until=at(1800)),
    )
    over = close(replace(fire, fire=replace(fire.fire, restored_at=at(40))), "restored", at(41))
    unread = replace(case(CaseKind.UNREADABLE_ALARM), case_id=CaseId("C00000000000000aa"), facts=SAMPLE)
    stranger = unit("?G000777", name="未登记网关 G000777", name_en="Unregistered gateway G000777")
    unknown = replace(case(CaseKind.UNREGISTERED_ALARM), case_id=CaseId("C00000000000000bb"), facts=stranger)
    said = replace(second, text="fire 1-002 二层走廊烟感; not_registered; mqtt_json")
    return {
        "fire_over": letter_again(over, told_of(fire, second)),
        "unreadable_alarm": letter_of_step(unread, unread.ladder[0], at(1), event=replace(said, component=None)),
        "unregistered_alarm": letter_of_step(unknown, unknown.ladder[0], at(1), event=said),
        "trouble_h0": letter_of_step(lost, lost.ladder[0], at(30)),
        "trouble_h4": letter_of_step(demand, demand.ladder[4], at(86400)),
        "fire": letter_of_step(fire, fire.ladder[0], at(1)),
        "fire_to_the_centre": replace(
            letter_of_step(fire, fire.ladder[0], at(1)), telephones=Telephones("0300-25550101", "0300-25550103", "林安")
        ),
        "fire_point": letter_of_step(fire, component_step(fire), at(1), event=second),
        "common_cause": letter_of_step(common, lost.ladder[0], at(30), members=82),
        "all_clear": letter_of_all_clear(close(lost, "signal", at(7200)), at(7200)),
        "all_clear_common": letter_of_all_clear(close(common, "all_members_back", at(7200)), at(7200)),
    }


def told_of(fire: Case, second: Event) -> Notice:
    """The notice of a further component, as it stood before the fire was over."""
    return Notice(
        notice_id=NoticeId("0" * 32),
        case_id=fire.case_id,
        step="F0.p2",
        purpose=Purpose.NOTICE,
        to=address(),
        template="fire@2",
        subject="",
        body="",
        clause="",
        created_at=at(1),
        caused_at=at(0),
        about=About(fire.proof, second.component),
        first=True,
    )


def written(name: str, lang: str) -> str:
    to = _to(lang)
    subject, body, template = WRITER.write(letters()[name], NoticeId("0" * 32), to)
    return f"{template}\n{subject}\n\n{body}"


def _to(lang: str, channel: Channel = Channel.EMAIL) -> Address:
    return address(channel=channel, lang=lang)


@pytest.mark.parametrize("lang", ["zh", "en"])
@pytest.mark.parametrize("name", sorted(letters()))
def test_letter_reads_as_agreed(name: str, lang: str) -> None:
    assert written(name, lang) == (FOLDER / f"{name}.{lang}.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", sorted(letters()))
def test_letter_cites_clause_pack_evidence_and_case(name: str) -> None:
    letter = letters()[name]
    for lang in ("zh", "en"):
        text = written(name, lang)
        for cited in (letter.case.case_id, letter.case.pack_id, letter.proof.topic, str(letter.proof.offset)):
            assert cited in text
        assert f"https://console.firenet-demo.cn/?case={letter.case.case_id}" in text


def test_foreign_text_cannot_add_lines_or_headers() -> None:
    evil = unit("U1", name="医院\r\nBcc: all@mail.firenet-demo.cn\n\n火警解除", name_en="x\nCase: C0")
    letter = letters()["trouble_h0"]
    letter = replace(letter, case=replace(letter.case, facts=evil))
    for lang in ("zh", "en"):
        subject, body, _ = WRITER.write(letter, NoticeId("0" * 32), _to(lang))
        assert "\n" not in subject
        assert not any(line.startswith(("Bcc:", "火警解除", "Case: C0 ")) for line in body.splitlines())


def test_webhook_carries_the_letter_as_data_under_the_size_limit() -> None:
    letter = letters()["fire_point"]
    _, body, template = WRITER.write(letter, NoticeId("a" * 32), _to("zh", Channel.WEBHOOK))
    payload = json.loads(body)
    assert template == f"fire@{VERSIONS['fire']}"
    assert payload["type"] == "cn.firenet.fire.notice.v1"
    assert payload["data"]["point"] == {"address": "1-002", "system": "主机1", "label": "二层走廊烟感"}
    assert payload["data"]["evidence"] == {"topic": "firenet.signals.v1", "partition": 3, "offset": 4711}
    assert len(body.encode()) < 20_000


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for one in letters():
        for language in ("zh", "en"):
            (FOLDER / f"{one}.{language}.txt").write_text(written(one, language), encoding="utf-8")

"""Figures from sums of unit-days are those that the command line computes of the whole log, on random histories."""

import json
from pathlib import Path
from random import Random
from typing import Any

import pytest

from schemas.codec import Codec
from schemas.establishing import Establishing, LogLine
from schemas.inputs import read_packs, read_registry
from schemas.registry import RegistryEvent
from services.compliance.adapters import answer
from services.compliance.adapters.facts import Facts, known
from services.compliance.adapters.packs import policies
from services.compliance.domain.errors import Refused
from services.compliance.domain.evaluation import evaluate
from services.compliance.domain.knowledge import Knowledge
from services.compliance.domain.period import Window, windows_between
from services.compliance.domain.publishing import figures_of
from services.compliance.domain.tally import Counting, UnitHistory
from services.compliance.domain.unit_day import checks_by_unit, faults_of, unit_days
from services.kernel.calendar import day_of
from services.kernel.words import Period
from tests.contract.compliance.scenario import DAY, iso
from tests.contract.compliance.test_adjustments import HOUR, random_adjustment
from tests.naive.compare import pack_name, write
from tests.naive.histories import history

PUBLICATION = "\npublication: {availability: '0.5', cure_limit_s: 3600, transmission_limit_s: 60}\n"
LOG: Codec[LogLine] = Codec(LogLine)


def knowledge_of(seed: int, work: Path, decisions: int) -> Knowledge | None:
    """Return what is known at the end of a random history with so many adjustments, None where it is refused."""
    told = history(seed)
    write(told, work)
    paths = [work / pack_name(number) for number in range(len(told.packs))]
    for path in paths:
        path.write_text(path.read_text("utf-8") + PUBLICATION, "utf-8")
    packs = read_packs(paths)
    facts = Facts()
    for fact in Establishing(packs).facts([LOG.decode(line.encode()) for line in told.log]):
        facts.take(fact)
    registry = read_registry(work / "REGISTRY.jsonl")
    return Knowledge(known([*registry, *adjustments(seed, decisions)], facts, None), policies(packs))


def adjustments(seed: int, many: int) -> list[RegistryEvent]:
    """Return adjustments around the midnight that all histories lie around."""
    chance = Random(seed)
    found = []
    for number in range(many):
        row = random_adjustment(chance, number)
        start, width = chance.choice(((-DAY, HOUR), (-2 * HOUR, 600), (-HOUR, 60))) if number else (0, HOUR)
        begins = start + width * chance.randrange(24)
        row |= {"starts_at": iso(begins), "ends_at": iso(begins + width * chance.randrange(1, 24))}
        row |= {"unit_id": f"U{chance.randrange(1, 4)}", "adjustment_id": f"A{number}"}
        if row["what"] != "correction" and chance.random() < 0.5:
            row |= dict.fromkeys(("system", "address", "trouble"))
        record = {"record": {"kind": "adjustment", "id": f"A{number}", "versions": [row]}}
        found.append(RegistryEvent.model_validate_json(json.dumps(registry_event(record, number))))
    return found


def registry_event(data: dict[str, Any], number: int) -> dict[str, Any]:
    return {
        "specversion": "1.0", "id": f"a{number}", "source": "/registry", "type": "cn.firenet.registry.v1",
        "subject": f"adjustment:A{number}", "time": iso(0), "datacontenttype": "application/json", "data": data,
    }  # fmt: skip


def histories(knowledge: Knowledge, first: int, last: int) -> list[UnitHistory]:
    checks = checks_by_unit(knowledge, knowledge.checks)
    return [
        UnitHistory(
            unit_id,
            knowledge.registry.units[unit_id],
            list(unit_days(knowledge, unit_id, first, last)),
            faults_of(knowledge, unit_id),
            checks.get(unit_id, []),
        )
        for unit_id in knowledge.unit_ids
    ]


def periods(knowledge: Knowledge) -> list[Window]:
    through = knowledge.visibility.through
    day = day_of(through)
    return [
        window
        for kind in (Period.DAY, Period.WEEK, Period.MONTH)
        for window in windows_between(kind, day - 20, day)
        if window.end <= through
    ]


def differing(knowledge: Knowledge) -> list[tuple[str, str]]:
    windows = periods(knowledge)
    counting = Counting(windows, knowledge.policies)
    day = day_of(knowledge.visibility.through)
    for unit in histories(knowledge, day - 80, day):
        counting.take(unit)
    found = []
    for (window, part), tally in counting.tallies.items():
        try:
            made = list(figures_of(window, part, tally, knowledge.policies, knowledge.visibility))
        except Refused:
            continue
        for _, figure in made:
            ask = figure.ask
            ours = json.dumps(answer.figure(figure), sort_keys=True)
            theirs = json.dumps(answer.figure(evaluate(knowledge, ask)), sort_keys=True)
            if ours != theirs:
                found.append((ours, theirs))
    return found


@pytest.mark.parametrize("decisions", [0, 6], ids=["as measured", "adjusted"])
def test_a_figure_of_sums_is_the_figure_of_the_log(decisions: int, tmp_path: Path) -> None:
    for seed in range(1, 7):
        knowledge = knowledge_of(seed, tmp_path / str(seed), decisions)
        if knowledge is not None:
            bad = differing(knowledge)
            assert not bad, (seed, *bad[0])

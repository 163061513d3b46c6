"""Reads what a run has left on the topics, in the database and at the receivers, and hands it to the checker."""

import asyncio
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from schemas import codec, topics
from schemas.finding import Finding
from services.alerts.app import verify_audit
from services.kernel.ids import finding_id
from tests.chaos import probe
from tests.chaos.blows import Struck
from tests.chaos.receivers import read_diary
from tests.chaos.script import FOR_EVER, Script
from tests.chaos.site import SUPERVISION_RATE, Site
from tests.checker import Account
from tests.checker.book import Kept, Lost, Matched, Spoken, Words, check_kept, find_lost, match
from tests.checker.copies import Hearing, check_copies
from tests.checker.delivery import check_account
from tests.checker.notices import check_intake
from tests.checker.outbreaks import (
    FireCase,
    Note,
    Outbreak,
    Told,
    check_cases,
    check_clears,
    check_findings_of,
    check_fires_told,
    name_waiting,
    outbreaks,
    pair_cases,
)
from tests.checker.replay import Setting, check_facts, check_findings, replay
from tests.checker.silence import (
    Offline,
    Premises,
    check_connections,
    check_losses,
    check_offline,
    check_rates,
    rates_of,
)

UNITS = "SELECT id, body FROM registry.in_force WHERE kind = 'unit'"
NOW = "SELECT unit_id, connection_now FROM rules.units_now"
RATES = "SELECT scope, dimension, value, in_scope, connected FROM rules.rates_now"
LOSSES = "SELECT gateway_id, sum(missing)::bigint FROM rules.losses GROUP BY gateway_id"
OFFLINE = """SELECT unit_id, effective_at, detected_at FROM rules.transitions
    WHERE aspect = 'connection' AND to_state = 'offline' ORDER BY detected_at"""
CASES = """SELECT case_id, unit_id, finding_id, state = 'open', alarms, extract(epoch FROM opened_at)::float
    FROM alerts.cases WHERE kind = 'fire'"""
OTHER_CASES = "SELECT DISTINCT kind, unit_id FROM alerts.cases WHERE unit_id IS NOT NULL AND kind <> 'fire'"
NOTES = "SELECT notice_id, case_id, step, purpose, contact_id, channel, state FROM alerts.notices"
DIMENSIONS = ("district", "town", "category")
SCOPES = ("S1", "S2", "S3", "KEY")
SAYS_OVER = ("（已结束）", ", over by now]")
TROUBLES = ("fire", "fault", "isolation")


@dataclass(frozen=True, slots=True)
class Alerted:
    """What alerts has and what the receivers took, at a moment at which no notice was waiting or on its way."""

    notes: list[Note]
    cases: list[FireCase]
    others: list[tuple[str, str]]
    hearings: list[Hearing]


class Verdict:
    """The accounts of one run. `book` and `struck` are still growing while it is made, not when it is asked."""

    def __init__(
        self, site: Site, script: Script, book: Sequence[Spoken], struck: Sequence[Struck], started_at: float
    ) -> None:
        self._site = site
        self._script = script
        self._book = book
        self._struck = struck
        self._unit_of = {one.words.gateway: one.unit for one in book}
        self._alerted = Alerted([], [], [], [])
        self._unknown: list[str] = []
        self._gateways: dict[str, list[str]] = defaultdict(list)
        for gateway, unit in self._unit_of.items():
            self._gateways[unit].append(gateway)

    def while_all_speak(self) -> list[Account]:
        """Connections and rates as they are while every device but those that are gone sends its heartbeats.

        What alerts has is read here as well: once nobody speaks any more there will be new cases.
        """
        premises = [_premises(unit, body) for unit, body in self._site.rows(UNITS)]
        wanted = {one.unit: self._connection(one.unit) for one in premises}
        made: list[Account] = []

        def as_wanted() -> bool:
            found = dict(self._site.rows(NOW))
            rates = {row[:3]: row[3:] for row in self._site.rows(RATES) if row[0] in SCOPES and row[1] in DIMENSIONS}
            made[:] = [*check_connections(wanted, found), *check_rates(rates_of(premises, wanted), rates)]
            return not any(account.found for account in made)

        self._site.wait("connections and rates as book and register have them", as_wanted, 60)
        self._site.wait("a moment without notices on their way", self._read_alerts, 120)
        return made

    def _read_alerts(self) -> bool:
        """Read notices first and then what was heard, so that whatever was accepted is among that."""
        rows, site = self._site.rows(NOTES), self._site
        cases = [FireCase(*row) for row in site.rows(CASES)]
        others = [(kind, unit) for kind, unit in site.rows(OTHER_CASES)]
        hearings = self._hearings()
        heard: dict[str, list[float]] = defaultdict(list)
        for one in hearings:
            heard[one.notice_id].append(one.at)
        diaries = (site.centre.diary, site.mailbox.diary)
        over = {line["id"] for diary in diaries for line in read_diary(diary) if _says_over(line)}
        notes = [
            Note(*row[:7], heard=tuple(heard[row[0]]), says_over=row[0] in over)  # type: ignore[misc]
            for row in rows
        ]
        known = {note.notice_id for note in notes}
        self._alerted = Alerted(notes, cases, others, [one for one in hearings if one.notice_id in known])
        self._unknown = sorted({one.notice_id for one in hearings} - known - self._noticed())
        return not any(note.state in ("pending", "sending") for note in notes)

    def _noticed(self) -> set[str]:
        """Return the ids of all notices, and of digests: one whose notices have parted from it has none."""
        ids = "SELECT notice_id FROM alerts.notices UNION SELECT digest_id FROM alerts.digests"
        return {name for (name,) in self._site.rows(ids)}

    def _connection(self, unit: str) -> str:
        if unit not in self._gateways:
            return "never_connected"
        silent = [self._script.traits[gateway].silent for gateway in self._gateways[unit]]
        return "offline" if any(one is not None and one[1] == FOR_EVER for one in silent) else "online"

    def afterwards(self) -> list[Account]:
        """Everything else, once all of the log is worked off."""
        bootstrap = self._site.firenet.kafka.bootstrap
        saved = probe.rules_at_once(self._site.firenet.postgres.dsn())
        published = probe.read_topic(bootstrap, topics.FINDINGS)
        log = probe.read_topic(bootstrap, topics.SIGNALS)
        matched = match(self._book, _kept(log))
        lost = find_lost(self._book, matched, self._kills("Iotcore"))
        stored = [one for one in self._book if one.number in matched.copies]
        events = [codec.findings.decode(e.value) for partition in sorted(published) for e, _ in published[partition]]
        findings = [_told(event) for event in events if isinstance(event, Finding)]
        wanted = {kind: outbreaks(stored, kind) for kind in TROUBLES}
        refused = [_refusal(entry.value) for records in self._refusals().values() for entry, _ in records]
        return [
            *check_kept(self._book, matched, lost, [one for one in refused if one]),
            *self._fires(wanted["fire"], matched),
            *(
                account
                for kind in TROUBLES
                for account in check_findings_of(kind, wanted[kind], matched, findings, finding_id)
            ),
            *self._units(matched, lost, wanted),
            *self._replayed(saved, published, log),
            *self._counters(published),
        ]

    def _outages(self, part: str, end: float) -> list[tuple[float, float]]:
        return [(one.began_at, one.ready_at or end) for one in self._struck if one.blow.part == part]

    def _kills(self, part: str) -> list[float]:
        return [one.began_at for one in self._struck if one.blow.part == part and one.blow.kills]

    def _refusals(self) -> probe.Records:
        return probe.read_topic(self._site.firenet.kafka.bootstrap, topics.REFUSALS)

    # --- fires

    def _fires(self, wanted: Sequence[Outbreak], matched: Matched) -> list[Account]:
        notes = self._alerted.notes
        by_case: dict[str, list[Note]] = defaultdict(list)
        for note in notes:
            by_case[note.case_id].append(note)
        end = self._site.clock.now().timestamp()
        paired = pair_cases(wanted, matched, self._alerted.cases, finding_id)
        rooms = {unit: f"C-{unit}-control" for unit in self._gateways}
        return [
            *check_cases(paired),
            *check_fires_told(paired, by_case, rooms),
            name_waiting(paired, matched, by_case, self._outages("PostgreSQL", end)),
            *check_clears(paired, by_case),
            *check_copies(notes, self._alerted.hearings, [one.outage(end) for one in self._struck]),
            Account("copies of notices that alerts does not know", len(notes), self._unknown),
        ]

    def _hearings(self) -> list[Hearing]:
        """Return what the receivers took, from their own diaries."""
        found: list[Hearing] = []
        within = probe.members_of_digests(self._site)
        for channel, path in (("webhook", self._site.centre.diary), ("email", self._site.mailbox.diary)):
            lines = read_diary(path)
            answered = Counter(line["id"] for line in lines if line["what"] == "answered")
            for line in lines:
                if line["what"] == "took":
                    well = line["mood"] == "well" and answered[line["id"]] > 0
                    answered[line["id"]] -= well
                    brought = within.get(line["id"], [line["id"]])
                    found += [Hearing(one, channel, line["at"], well) for one in brought]
        return found

    # --- units

    def _units(self, matched: Matched, lost: Lost, wanted: dict[str, list[Outbreak]]) -> list[Account]:
        offlines = [Offline(u, since.timestamp(), at.timestamp()) for u, since, at in self._site.rows(OFFLINE)]
        shown = {gateway: int(missing) for gateway, missing in self._site.rows(LOSSES)}
        ingest_away = [one.began_at for one in self._struck if one.blow.part == "ingest" and one.blow.kills]
        reasons = {kind: {one.unit for one in found} for kind, found in wanted.items()}
        reasons["connection_lost"] = {one.unit for one in offlines}
        premises = {unit for unit, _ in self._site.rows(UNITS)}
        reasons["never_connected"] = premises - set(self._gateways)
        cases = self._alerted.others
        causeless = [f"{kind} of {unit}" for kind, unit in cases if unit not in reasons.get(kind, set())]
        return [
            Account("cases of other kinds without a cause", len(cases), causeless),
            *check_offline(offlines, self._book, matched, self._gateways),
            *check_losses(self._book, matched, lost, shown, ingest_away),
        ]

    # --- the log played once more, and all counters

    def _replayed(self, saved: probe.Rules, published: probe.Records, log: probe.Records) -> list[Account]:
        registry = probe.read_topic(self._site.firenet.kafka.bootstrap, topics.REGISTRY)
        before, whole = replay(
            Setting(topics.all_topics()["signals"].partitions, SUPERVISION_RATE),
            ((key, entry.value) for records in registry.values() for entry, key in records),
            {partition: [entry for entry, _ in records] for partition, records in log.items()},
            saved.next_offsets,
        )
        facts = check_facts(saved.facts, before)
        told = check_findings(probe.finding_events(published), saved.outbox, before, whole)
        return [
            Account("transitions, signals, hours, units and rates other than a replay's", len(before.signals), facts),
            Account("findings other than a replay's", len(before.findings), told),
        ]

    def _counters(self, published: probe.Records) -> list[Account]:
        events = [f"/rules#{event_id}" for event_id, _ in probe.finding_events(published)]
        seen = {name for (name,) in self._site.rows("SELECT event_id FROM alerts.seen")}
        chain = asyncio.run(verify_audit(self._site.firenet.postgres.dsn()))
        killed = Counter(one.blow.part for one in self._struck if one.blow.kills)
        died = {part: count - killed[part] for part, count in self._site.deaths().items() if count > killed[part]}
        away = [part.name for part in self._site.stack.parts if not (part.alive() and part.ready())]
        return [
            Account("findings that alerts never took in", len(events), check_intake(events, seen)),
            Account("ingest's counters", 2, check_account(probe.ingest_counters(self._site.firenet.ports.ingest))),
            Account("audit chain", chain.entries, [] if chain.broken_at is None else [f"broken at {chain.broken_at}"]),
            Account("parts that died by themselves", sum(killed.values()), [f"{k}: {v}" for k, v in died.items()]),
            Account("parts that are not ready at the end", len(self._site.stack.parts), away),
        ]


def _premises(unit: str, body: dict[str, Any]) -> Premises:
    return Premises(
        unit,
        key_unit=bool(body["key_unit"]),
        auto_fire_facilities=bool(body["auto_fire_facilities"]),
        crowded_place=bool(body["crowded_place"]),
        flammable_place=bool(body["flammable_place"]),
        fire_alarm_system=bool(body["fire_alarm_system"]),
        is_new=body["construction"] != "existing",
        slices={name: body[name] for name in DIMENSIONS},
    )


def _kept(log: probe.Records) -> Iterable[Kept]:
    """Yield what gateways said, as it stands on the topic; left out are ticks and ingest's own words."""
    for partition, records in log.items():
        for entry, key in records:
            if not key:
                continue
            event = json.loads(entry.value)
            data = event["data"]
            if data["kind"] in ("gap", "unreadable_alarm") or "repeated" in data["flags"]:
                continue
            at = data.get("occurred_at")
            words = Words(
                gateway=data["gateway_id"],
                lane=data["lane"],
                kind=data["kind"],
                seq=data.get("seq"),
                occurred_at=None if at is None else datetime.fromisoformat(at).timestamp(),
                point=(data.get("point") or {}).get("address"),
                restores=data.get("restores"),
                text=data.get("text"),
            )
            received_at = datetime.fromisoformat(event["time"]).timestamp()
            yield Kept(event["id"], data["unit_id"], words, received_at, (partition, entry.offset))


def _told(event: Finding) -> Told:
    data = event.data
    return Told(
        event.id, data.finding_id, data.unit_id, str(data.kind), str(data.phase), data.effective_at.timestamp(),
        data.detected_at.timestamp(),
    )  # fmt: skip


def _refusal(value: bytes) -> str | None:
    data = json.loads(value)["data"]
    return f"{data.get('gateway_id')} {data['reason']}: {data['detail']}" if "raw" in data else None


def _says_over(line: dict[str, Any]) -> bool:
    data = line.get("data") or {}
    if "subject" in line:
        return any(word in line["subject"] for word in SAYS_OVER)
    return data.get("purpose") == "notice" and bool(data.get("over"))

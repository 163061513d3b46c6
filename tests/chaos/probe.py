"""Reads what stands on the topics, in the database and at the receivers: the I/O that the checker does not do."""

import asyncio
import json
import re
import urllib.request
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol

import psycopg
from aiokafka import AIOKafkaConsumer, TopicPartition
from prometheus_client.parser import text_string_to_metric_families
from psycopg import IsolationLevel

from schemas import codec, topics
from schemas.refusal import Refusal
from tests.checker.delivery import Stored, name_of
from tests.checker.notices import Copy
from tests.checker.replay import Facts, LogEntry
from tests.system import System

Records = dict[int, list[tuple[LogEntry, str]]]


class Asks(Protocol):
    """Whatever can ask FireNet's database."""

    def rows(self, query: str, *arguments: object) -> list[tuple[Any, ...]]: ...


def read_topic(bootstrap: str, topic: str) -> Records:
    """Return all records of a topic up to its present end, with their keys, by partition."""
    return asyncio.run(_read(bootstrap, topic))


async def _read(bootstrap: str, topic: str) -> Records:
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)
    await consumer.start()
    try:
        numbers = range(next(one.partitions for one in topics.all_topics().values() if one.name == topic))
        partitions = [TopicPartition(topic, number) for number in numbers]
        consumer.assign(partitions)
        await consumer.seek_to_beginning(*partitions)
        ends = await consumer.end_offsets(partitions)
        found: Records = {place.partition: [] for place in partitions}
        left = {place for place, end in ends.items() if end > 0}
        while left:
            for place, records in (await consumer.getmany(timeout_ms=500)).items():
                found[place.partition] += [
                    (LogEntry(one.offset, one.value or b""), (one.key or b"").decode())
                    for one in records
                    if one.offset < ends[place]
                ]
            left = {place for place in left if await consumer.position(place) < ends[place]}
        return found
    finally:
        await consumer.stop()


def stored_signals(log: Records) -> list[Stored]:
    """Return what gateways said, as it stands on the topic. Plain JSON: the wire models take four times as long.

    Left out are ticks and ingest's own words: that numbers are missing, that a message was sent before.
    """
    found = []
    for partition in sorted(log):
        for entry, key in log[partition]:
            if key:  # ticks have none
                event = json.loads(entry.value)
                data = event["data"]
                if data["kind"] == "gap" or "repeated" in data["flags"]:
                    continue
                gateway, lane, seq = data["gateway_id"], data["lane"], data.get("seq")
                found.append(Stored(name_of(gateway, lane, seq, data["kind"]), gateway, seq, lane))
    return found


def refused_names(log: Records) -> list[str]:
    """Return the names of the refused messages; what is no message of the publisher goes by its refusal's id."""
    return [
        _name_of_refused(event)
        for records in log.values()
        for entry, _ in records
        for event in [codec.refusals.decode(entry.value)]
        if isinstance(event, Refusal)
    ]


def _name_of_refused(refusal: Refusal) -> str:
    try:
        body, lane = json.loads(refusal.data.raw), refusal.data.topic.split("/")[3]
        return name_of(refusal.data.gateway_id or "", lane, body["seq"], body["kind"])
    except (ValueError, TypeError, KeyError, IndexError):
        return refusal.id


@dataclass(frozen=True, slots=True)
class Rules:
    """The database of rules at one instant: facts, the offsets that they reach, and findings on their way."""

    facts: Facts
    next_offsets: dict[int, int]
    outbox: list[str]


_TRANSITIONS = """
SELECT transition_id, unit_id, aspect, from_state, to_state, effective_at, detected_at, cause, evidence_topic,
       evidence_partition, evidence_offset
FROM rules.transitions
"""
_COMPONENTS = """
SELECT transition_id, unit_id, kind, system, address, open, effective_at, detected_at, cause, evidence_topic,
       evidence_partition, evidence_offset
FROM rules.component_transitions
"""
_UNITS = """
SELECT unit_id, connection, connection_since, health, health_since, open_fires, open_faults, open_isolations
FROM rules.units
"""
_RATES = """
SELECT partition, scope, dimension, value, in_scope, connected, late, offline, unknown, never, commissioning, exempt
FROM rules.rate_counts
"""


def rules_at_once(dsn: str) -> Rules:
    with psycopg.connect(dsn) as connection:
        connection.isolation_level = IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        facts = Facts()

        def rows(query: str) -> list[Any]:
            return connection.execute(query.encode()).fetchall()

        offsets = dict(rows("SELECT partition, next_offset FROM rules.partitions"))
        facts.transitions = list(map(tuple, rows(_TRANSITIONS)))
        facts.components = list(map(tuple, rows(_COMPONENTS)))
        facts.signals = list(map(tuple, rows("SELECT signal_id, received_at FROM rules.signals")))
        hours = rows("SELECT unit_id, hour, count FROM rules.heartbeats_hourly")
        facts.beats = Counter({(unit, hour): count for unit, hour, count in hours})
        facts.units = {row[0]: row[1:] for row in rows(_UNITS)}
        facts.rates = {row[:4]: row[4:] for row in rows(_RATES)}
        outbox = [event_id for (event_id,) in rows("SELECT event_id FROM rules.outbox")]
    return Rules(facts, offsets, outbox)


def notices(system: Asks) -> list[Copy]:
    return [
        Copy(*row)
        for row in system.rows(
            """SELECT notice_id, case_id, step, purpose, contact_id, channel, fire, state, reason FROM alerts.notices"""
        )
    ]


_MESSAGE_ID = re.compile(r"<([^.@>]+)[.@]")


def heard(system: System) -> Counter[str]:
    """Return how many copies of each notice came to the centre's webhook and to the mailbox."""
    copies = Counter(one.id for one in system.heard)
    within = members_of_digests(system)
    for path in system.firenet.mailbox.mails.glob("*.json"):
        found = _MESSAGE_ID.search(json.loads(path.read_text())["message_id"])
        name = found.group(1) if found else path.name
        copies.update(within.get(name, [name]))
    return copies


def members_of_digests(system: Asks) -> dict[str, list[str]]:
    """Return which notices a digest brings, by its id: a mail for many is a copy of each."""
    within: dict[str, list[str]] = {}
    for digest_id, notice_id in system.rows(
        "SELECT digest_id, notice_id FROM alerts.notices WHERE digest_id IS NOT NULL"
    ):
        within.setdefault(digest_id, []).append(notice_id)
    return within


def metrics(port: int, prefix: str) -> dict[str, list[tuple[dict[str, str], float]]]:
    """Return the samples of a service whose names begin with `prefix`."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as answer:
        families = text_string_to_metric_families(answer.read().decode())
    found: dict[str, list[tuple[dict[str, str], float]]] = {}
    for family in families:
        for sample in family.samples:
            if sample.name.startswith(prefix):
                found.setdefault(sample.name, []).append((sample.labels, sample.value))
    return found


def ingest_counters(port: int) -> dict[tuple[str, str], float]:
    """Return ingest's account by (what, lane)."""
    found = metrics(port, "firenet_ingest_")
    names = {
        "received": "firenet_ingest_received_total",
        "stored": "firenet_ingest_stored_total",
        "refused": "firenet_ingest_refused_total",
        "repeated": "firenet_ingest_repeated_total",
        "handed_back": "firenet_ingest_handed_back_total",
        "in_flight": "firenet_ingest_in_flight",
    }
    counters: dict[tuple[str, str], float] = {}
    for name, metric in names.items():
        for labels, value in found[metric]:
            place = name, labels["lane"]
            counters[place] = counters.get(place, 0) + value
    return counters


def centre_fire_notices(rows: Iterable[Copy], units: dict[str, str]) -> Counter[str]:
    """Return by unit how many fire notices went to the centre; `units` names the unit of each case."""
    return Counter(
        units[one.case_id]
        for one in rows
        if one.fire and one.purpose == "notice" and one.contact_id == "C-centre" and one.channel == "webhook"
        and one.state == "accepted"
    )  # fmt: skip


def finding_events(log: Records) -> list[tuple[str, bytes]]:
    """Return (event id, value) of each finding, in log order."""
    return [
        (codec.findings.decode(entry.value).id, entry.value) for partition in sorted(log) for entry, _ in log[partition]
    ]

"""One district, end to end: real broker, Kafka and PostgreSQL, all services as processes, a simulated fleet."""

import json
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from prometheus_client.parser import text_string_to_metric_families

from deploy.stack.answering import Answering
from deploy.stack.webhook import Received
from schemas import codec
from services.kernel.synthetic import SYNTHETIC
from services.runtime.clock import SystemClock
from tests.system import System, broker_options, message, running, wait_for

HOSPITAL = "U000001"
UNITS = 40
COMMISSIONED = "SELECT count(*) FROM registry.in_force WHERE kind = 'unit' AND body ->> 'commissioned_on' IS NOT NULL"
PEOPLE = """SELECT array_agg(DISTINCT contact_id ORDER BY contact_id) FROM alerts.notices
    WHERE case_id = %s AND purpose = %s"""
HEALTH = "SELECT health_now FROM rules.units_now WHERE unit_id = 'U000002'"
STEPS = ["H0", "H1", "H2", "H3", "H4"]
RATE = "SELECT in_scope, connected, unknown FROM rules.rates_now WHERE scope = %s AND dimension = 'district'"


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    options = broker_options(supervision_rate=20, ladder_rate=4800, mailbox=True, local_webhooks=True)
    with running(tmp_path_factory.mktemp("district"), options, UNITS) as one:
        yield one


def rate(system: System, scope: str = "S1") -> tuple[int, int, int]:
    in_scope, connected, unknown = system.rows(RATE, scope)[0]
    return in_scope, connected, unknown


def tells_of_fire(one: Received) -> bool:
    return one.body.get("kind") == "fire" or "fire" in json.dumps(one.body)


@contextmanager
def answering(system: System) -> Iterator[list[str]]:
    """Let the people of the demo answer inside the block; yield what they say."""
    accounts = system.firenet.command("services.console", "demo-accounts", "--json")
    lines: list[str] = []
    stop = threading.Event()
    people = Answering(system.firenet, accounts, lines.append, SystemClock())
    thread = threading.Thread(target=people.run, args=(stop,))
    thread.start()
    try:
        yield lines
    finally:
        stop.set()
        thread.join()


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_story_of_the_demo(system: System) -> None:
    with answering(system) as lines:
        _story(system)
        wait_for("the evidence checked", lambda: any("证据包" in line and "核验通过" in line for line in lines))
    assert [line.split()[1] for line in lines] == ["✓"] * 4, lines


def _story(system: System) -> None:
    system.simulate("run", "--timeline", "demo", "--clock-rate", "20", "--ladder-rate", "4800", name="story")
    speaking = system.value(COMMISSIONED)
    online = "SELECT count(*) FROM rules.units_now WHERE connection_now IN ('online', 'late')"
    wait_for("every commissioned unit online", lambda: system.value(online) == speaking)
    in_scope, before, unknown = rate(system)
    assert unknown == 0

    hospital = "SELECT connection_now FROM rules.units_now WHERE unit_id = %s"
    wait_for("the hospital offline", lambda: system.value(hospital, HOSPITAL) == "offline")
    assert rate(system) == (in_scope, before - 1, 0)

    case = "SELECT case_id FROM alerts.cases WHERE unit_id = %s AND kind = 'connection_lost'"
    wait_for("a case", lambda: bool(system.rows(case, HOSPITAL)))
    case_id = system.value(case, HOSPITAL)
    steps = "SELECT array_agg(step ORDER BY taken_at) FROM alerts.steps WHERE case_id = %s"
    wait_for("H4", lambda: system.value(steps, case_id) == STEPS)

    wait_for("the fire at the centre's webhook", lambda: any(map(tells_of_fire, list(system.centre.received))))
    letter = "SELECT address FROM alerts.notices WHERE case_id = %s AND step = 'H4' AND body_code = 'health'"
    (address,) = system.rows(letter, case_id)[0]
    wait_for("the health department's letter", lambda: any(address in mail["envelope_to"] for mail in system.mails()))

    wait_for("the hospital back", lambda: system.value(hospital, HOSPITAL) == "online")
    wait_for("the rate whole again", lambda: rate(system) == (in_scope, before, 0))
    people = PEOPLE
    wait_for(
        "the case closed",
        lambda: system.value("SELECT state FROM alerts.cases WHERE case_id = %s", case_id) == "closed",
    )
    told = f"{people} AND state = 'accepted'"
    wait_for(
        "all told of the end", lambda: system.value(told, case_id, "all_clear") == system.value(told, case_id, "notice")
    )


def test_a_stranger_with_any_client_changes_the_figures(system: System) -> None:
    """The README's example: fire, then its end, published by a plain MQTT client."""
    fire = "SELECT state FROM alerts.cases WHERE unit_id = 'U000002' AND kind = 'fire' ORDER BY opened_at DESC LIMIT 1"
    heard = len(system.centre.received)
    system.publish("G000002", message("fire", 900001, point={"address": "3-017"}), "alarm/json")
    wait_for("a fire case", lambda: system.rows(fire) == [("open",)])
    wait_for("the centre hears", lambda: len(system.centre.received) > heard)
    wait_for(
        "health says fire",
        lambda: system.value(HEALTH) == "fire",
    )
    system.publish("G000002", message("restore", 900002, restores="fire"), "alarm/json")
    wait_for("the fire over", lambda: system.rows(fire) == [("closed",)])
    wait_for(
        "health well",
        lambda: system.value(HEALTH) == "normal",
    )
    one_case = "SELECT count(*) FROM alerts.cases WHERE unit_id = 'U000002' AND kind = 'fire'"
    assert system.value(one_case) == 1, "the finding of rules joined the case that the fire lane had opened"


SYNTHETIC_TRACES = """SELECT
    (SELECT count(*) FROM alerts.cases WHERE unit_id = %(unit)s OR subject_id LIKE %(like)s),
    (SELECT count(*) FROM alerts.notices WHERE body LIKE %(like)s OR address LIKE '%%synthetic%%'),
    (SELECT count(*) FROM alerts.audit_pending WHERE detail::text LIKE %(like)s),
    (SELECT count(*) FROM alerts.audit WHERE detail::text LIKE %(like)s),
    (SELECT count(*) FROM rules.signals WHERE unit_id = %(unit)s),
    (SELECT count(*) FROM rules.transitions WHERE unit_id = %(unit)s),
    (SELECT count(*) FROM rules.units WHERE unit_id = %(unit)s),
    (SELECT count(*) FROM documents.renditions AS one WHERE one::text LIKE %(like)s)"""


def test_a_synthetic_alarm_goes_all_the_way_and_a_fire_by_its_name_is_a_fire(system: System) -> None:
    heard = len(system.centre.received)
    said = system.firenet.command("services.alerts", "synthetic-alarm")
    assert ": arrived" in said, said
    traces = SYNTHETIC_TRACES.replace("%(unit)s", f"'{SYNTHETIC}'").replace("%(like)s", f"'%%{SYNTHETIC}%%'")
    assert system.rows(traces) == [(0,) * 8]
    assert not any(SYNTHETIC in json.dumps(one.body) for one in system.centre.received[heard:])
    # whoever calls itself so and has no mark burns
    system.publish(SYNTHETIC, message("fire", 1, point={"address": "0" * 60}), "alarm/json")
    wait_for("the centre hears", lambda: any(SYNTHETIC in json.dumps(one.body) for one in system.centre.received))


def test_a_fire_is_told_while_nobody_works_on_the_fire_lane(system: System) -> None:
    """Rules finds it too, and the ordinary process brings its notice out; back again, the lane tells nothing twice."""
    system.kill("alerts-fire")
    heard = len(system.centre.received)
    system.publish("G000004", message("fire", 900003, point={"address": "2-001"}), "alarm/json")
    wait_for("the centre hears of it through rules", lambda: len(system.centre.received) > heard)
    system.restart("alerts-fire")
    taken_in = "SELECT count(*) FROM alerts.seen WHERE event_id LIKE '/gateways/G000004#%%'"
    wait_for("the alarm taken in as well", lambda: system.value(taken_in) > 0)
    notices = """SELECT count(*) FROM alerts.notices WHERE channel = 'webhook'
        AND case_id IN (SELECT case_id FROM alerts.cases WHERE unit_id = 'U000004' AND kind = 'fire')"""
    assert system.value(notices) == 1


BAD = [
    ("not_json", "G000002", b"hello", "up/json"),
    ("wrong_shape", "G000002", b'{"v":1,"kind":"heartbeat","seq":"x"}', "up/json"),
    ("unknown_gateway", "G999999", b'{"v":1,"kind":"heartbeat"}', "up/json"),
    ("identity_mismatch", "G000002", b'{"v":1,"kind":"heartbeat","unit_id":"U000003"}', "up/json"),
    ("too_large", "G000002", b" " * 2_000_000, "up/json"),
    ("too_deep", "G000002", b"[" * 20_000, "up/json"),
    ("not_a_number", "G000002", b'{"v":1,"kind":"analog","measurement":{"value":NaN,"unit":"m"}}', "up/json"),
    ("unknown_version", "G000002", b'{"v":9,"kind":"heartbeat"}', "up/json"),
]


def refusals(system: System, reason: str) -> float:
    """Return how many messages ingest refused for that reason, over both lanes, from its own metrics."""
    with urllib.request.urlopen(f"http://127.0.0.1:{system.firenet.ports.ingest}/metrics", timeout=60) as answer:
        families = text_string_to_metric_families(answer.read().decode())
    samples = [sample for family in families for sample in family.samples]
    counts = [
        one.value for one in samples if one.name == "firenet_ingest_refused_total" and one.labels["reason"] == reason
    ]
    assert counts, f"no counter for {reason}"
    return sum(counts)


@pytest.mark.parametrize(("reason", "gateway", "payload", "channel"), BAD, ids=[bad[0] for bad in BAD])
def test_bad_input_is_refused_with_its_reason_and_the_good_message_after_it_counts(
    system: System, reason: str, gateway: str, payload: bytes, channel: str
) -> None:
    before = refusals(system, reason)
    system.publish(gateway, payload, channel)
    wait_for(f"one more {reason}", lambda: refusals(system, reason) == before + 1)
    seq = 910_000 + [bad[0] for bad in BAD].index(reason)
    system.publish("G000002", message("test", seq), "up/json")
    stored = "SELECT count(*) FROM rules.signals WHERE gateway_id = 'G000002' AND seq = %s AND kind <> 'gap'"
    wait_for("the good message after it", lambda: system.value(stored, seq) == 1)


def test_a_clock_ten_minutes_ahead_is_flagged_and_what_is_sent_thrice_is_kept_and_has_one_effect(
    system: System,
) -> None:
    from datetime import datetime, timedelta

    ahead = message("fault", 920_001, point={"address": "9-001"})
    ahead["occurred_at"] = (datetime.fromisoformat(ahead["occurred_at"]) + timedelta(minutes=10)).isoformat()
    for _ in range(3):
        system.publish("G000003", ahead)
    system.publish("G000003", message("test", 920_002))
    stored = (
        "SELECT count(*), min(body ->> 'flags') FROM rules.signals"
        " WHERE gateway_id = 'G000003' AND seq = %s AND kind <> 'gap'"
    )
    wait_for("the message after", lambda: system.rows(stored, 920_002)[0][0] == 1)
    count, flags = system.rows(stored, 920_001)[0]
    assert count == 3
    assert "clock_ahead" in flags
    faults = (
        "SELECT count(*) FROM rules.transitions WHERE unit_id = 'U000003' AND aspect = 'health' AND to_state = 'fault'"
    )
    assert system.value(faults) == 1


def test_every_record_on_every_topic_is_an_event_of_that_topic(system: System) -> None:
    """Whatever the tests above sent: what stands in Kafka decodes with the published models."""
    import asyncio

    from aiokafka import AIOKafkaConsumer

    from schemas import topics

    bootstrap = system.firenet.kafka.bootstrap

    async def read(topic: str) -> list[bytes]:
        consumer = AIOKafkaConsumer(topic, bootstrap_servers=bootstrap, auto_offset_reset="earliest")
        await consumer.start()
        try:
            ends = await consumer.end_offsets(consumer.assignment())
            found: list[bytes] = []
            while any([await consumer.position(place) < end for place, end in ends.items()]):
                for records in (await consumer.getmany(timeout_ms=500)).values():
                    found += [record.value for record in records if record.value is not None]
            return found
        finally:
            await consumer.stop()

    for topic, one in (
        (topics.SIGNALS, codec.signals),
        (topics.ALARMS, codec.alarms),
        (topics.REFUSALS, codec.refusals),
        (topics.FINDINGS, codec.findings),
        (topics.NOTICES, codec.notices),
        (topics.REGISTRY, codec.registry),
    ):
        values = asyncio.run(read(topic))
        assert values, topic
        for value in values:
            one.decode(value)

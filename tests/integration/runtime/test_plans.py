"""Which way PostgreSQL goes for the statements that are asked often, in tables as full as those of a large district."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg
import pytest

from deploy.stack.postgres import Postgres
from services.alerts.adapters.statements import SQL as ALERTS
from services.compliance.adapters.statements import SQL as COMPLIANCE
from services.console.adapters.statements import SQL as CONSOLE
from services.documents.adapters.statements import SQL as DOCUMENTS
from services.rules.adapters.statements import SQL as RULES
from services.runtime.partitions import SQL as PARTITIONS
from tests.parts import fresh_database

ADVANCE = PARTITIONS["advance"].replace("{schema}", "alerts")
NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
Plan = dict[str, Any]

FILL = """
INSERT INTO rules.partitions (partition, watermark, visibility, saved_at) SELECT n, now(), 'clear', now()
FROM generate_series(0, 1999) n;
INSERT INTO rules.snapshots SELECT p, s, s = 1, 'x' FROM generate_series(0, 63) p, generate_series(1, 200) s;
INSERT INTO rules.units (unit_id, partition, name, district, town, community, category, lead_department, scopes,
    connection, health, updated_at)
SELECT 'U' || n, n % 64, 'x', 'd', 'T' || n % 20, 'c', 'HOSPITAL', 'D' || n % 400, '{S1}', 'online', 'normal', now()
FROM generate_series(1, 20000) n;
INSERT INTO rules.transitions SELECT 't' || n, 'U' || n % 20000, 'connection', 'online', 'late',
    TIMESTAMPTZ '2026-11-01Z' + n * interval '1 second', now(), now(), 'silence', 'x', 0, n
FROM generate_series(1, 60000) n;
INSERT INTO rules.rate_counts SELECT p, 'S1', 'town', 'T' || t, 9, 9, 0, 0, 0, 0, 0, 0
FROM generate_series(0, 63) p, generate_series(1, 100) t;
INSERT INTO rules.outbox (partition, event_id, key, payload) SELECT n % 64, 'e' || n, 'U' || n, 'x'
FROM generate_series(1, 20000) n;
INSERT INTO alerts.cases (case_id, kind, unit_id, finding_id, state, effective_at, detected_at, opened_at, closed_at,
    lead_department, town, last_sighting_at, pack_id, pack_version, clause, evidence, ladder, common_case_id)
SELECT 'C' || n, CASE WHEN n % 2000 = 0 THEN 'fire' ELSE 'connection_lost' END, 'U' || n, 'f',
    CASE WHEN n % 200 = 0 THEN 'open' ELSE 'closed' END, now(), now(), now(),
    CASE WHEN n % 200 > 0 THEN TIMESTAMPTZ '2026-11-01Z' + n * interval '1 second' END, 'D' || n % 399, 'T' || n % 20,
    TIMESTAMPTZ '2026-11-01Z' + n * interval '1 minute', 'p', 1, 'c', '{}', jsonb_build_array(repeat('x', 400)),
    CASE WHEN n % 400 = 0 THEN 'C200' END
FROM generate_series(1, 40000) n;
INSERT INTO alerts.clocks (case_id, kind, due_at, step)
SELECT 'C' || n, 'step', TIMESTAMPTZ '2026-11-01Z' + n * interval '1 minute', 'H1'
FROM generate_series(200, 40000, 200) n;
INSERT INTO alerts.clocks (case_id, kind, due_at, step)
SELECT 'C' || n, 'reply', TIMESTAMPTZ '2026-11-01Z' + n * interval '1 minute', 'H4'
FROM generate_series(1, 40000) n;
INSERT INTO alerts.receipts SELECT 'C' || n, 'D' || n % 399, 'H0', now(), 'x', 'console', ''
FROM generate_series(1, 40000) n;
UPDATE alerts.cases SET kind = 'fire' WHERE state = 'closed' AND substr(case_id, 2)::int % 300 = 1;
INSERT INTO alerts.steps (case_id, step, due_at, taken_at, document, clause, recipients)
SELECT 'C' || n, 'H0', now(), now(), 'd', 'c', '{}' FROM generate_series(1, 40000) n;
INSERT INTO alerts.notices (notice_id, case_id, step, purpose, body_code, contact_id, channel, address, lang, template,
    subject, body, clause, created_at, state, attempts, next_attempt_at, published)
SELECT 'N' || n, 'C' || n, 'H0', 'notice', 'b', 'c', 'email', 'a' || n % 50, 'zh', 't', 's', 'b', 'c', now(),
    CASE WHEN n % 20 = 0 THEN 'pending' ELSE 'accepted' END, 1,
    CASE WHEN n % 20 = 0 THEN TIMESTAMPTZ '2026-11-01Z' + n * interval '1 minute' END, n % 200 > 0
FROM generate_series(1, 40000) n;
INSERT INTO alerts.digests (digest_id, body_code, contact_id, channel, address, lang, named, members, created_at, state,
    next_attempt_at)
SELECT 'X' || n, 'b', 'c', 'email', 'a' || n % 50, 'zh', 20, 1, now(),
    CASE WHEN n % 200 = 0 THEN 'pending' ELSE 'accepted' END,
    CASE WHEN n % 200 = 0 THEN TIMESTAMPTZ '2026-11-01Z' + n * interval '1 minute' END FROM generate_series(1, 20000) n;
UPDATE alerts.notices SET digest_id = 'X' || substr(notice_id, 2), group_state = 'digest'
WHERE substr(notice_id, 2)::int % 2 = 1 AND substr(notice_id, 2)::int <= 20000;
UPDATE alerts.notices SET group_state = 'waits' WHERE substr(notice_id, 2)::int % 100 = 0;
UPDATE alerts.cases SET quiet_until = TIMESTAMPTZ '2026-11-01Z'
WHERE state = 'open' AND substr(case_id, 2)::int % 4000 = 0;
UPDATE alerts.notices SET request_id = 'Q' || substr(case_id, 2) WHERE substr(case_id, 2)::int % 2 = 0;
INSERT INTO alerts.requests (request_id, case_id, key, event, created_at, state)
SELECT 'Q' || n, 'C' || n, 'U' || n, '{}', now(), CASE WHEN n % 4000 = 0 THEN 'waiting' ELSE 'issued' END
FROM generate_series(1, 40000) n;
INSERT INTO documents.documents (document_id, source, request_id, case_id, instrument, unit_id, issuer, mark, year,
    serial, template, state, requested_at, issued_at, request, published)
SELECT 'D' || n, '/alerts', 'Q' || n, 'C' || n, 'I1', 'U' || n, 'centre', 'm', 2026, n, 'I1@1', 'issued', now(), now(),
    '{}', n % 400 > 0 FROM generate_series(1, 40000) n;
INSERT INTO documents.renditions SELECT 'D' || n, 'zh', 't', 'x', 'h' FROM generate_series(1, 40000) n;
INSERT INTO documents.rendition_files SELECT 'D' || n, 'zh', 'pdf', 'x', 'h' FROM generate_series(1, 40000) n;
INSERT INTO documents.receipts (document_id, party, at, name, by, via)
SELECT 'D' || n, 'p', now(), 'n', 'b', 'console' FROM generate_series(1, 20000) n;
INSERT INTO documents.submissions (submission_id, document_id, kind, state, party, text, name, by, via, at)
SELECT 'S' || n, 'D' || n, 'reply', 'submitted', 'p', 't', 'n', 'b', 'console', now() FROM generate_series(1, 20000) n;
UPDATE documents.documents SET files_due = true WHERE substr(document_id, 2)::int % 4000 = 1;
INSERT INTO alerts.document_files SELECT 'Q' || n, 'zh', 'pdf', 'x' FROM generate_series(1, 40000) n;
INSERT INTO alerts.seen SELECT 's' || n, TIMESTAMPTZ '2026-11-01Z' + n * interval '1 minute'
FROM generate_series(1, 40000) n;
INSERT INTO alerts.partitions (topic, partition) SELECT 't', n FROM generate_series(0, 1999) n;
INSERT INTO alerts.audit_pending (at, actor, action, detail) SELECT now(), 'alerts', 'a', '{}'
FROM generate_series(1, 20000);
INSERT INTO alerts.audit (seq, at, actor, action, detail, prev_hash, hash) SELECT n, now(), 'alerts', 'a', '{}', '', ''
FROM generate_series(1, 20000) n;
INSERT INTO console.refusals (refusal_id, partition, "offset", received_at, reason, detail, gateway_id, topic, instance,
    raw_bytes, raw)
SELECT 'R' || n, 0, n, TIMESTAMPTZ '2026-11-01Z' + n * interval '1 second', 'not_json', 'd', 'G' || n % 500, 't', 'i',
    1, 'x' FROM generate_series(1, 20000) n;
INSERT INTO rules.rate_samples SELECT TIMESTAMPTZ '2026-10-30Z' + n * interval '1 day', p, 'S1', 'town', 'T' || t, 9, 9,
    0, 0 FROM generate_series(1, 30) n, generate_series(0, 63) p, generate_series(1, 20) t;
INSERT INTO rules.signals SELECT 's' || n, TIMESTAMPTZ '2026-11-01Z' + n * interval '1 minute', 'U' || n % 20000, 'G',
    'fault', NULL, NULL, '{}', 0, n FROM generate_series(1, 20000) n;
INSERT INTO rules.component_transitions SELECT 'c' || n, 'U' || n % 9000, 'fault', 's', n % 3, n % 2 = 0,
    TIMESTAMPTZ '2026-11-01Z' + n * interval '1 minute', now(), now(), 'c', 't', 0, n FROM generate_series(1, 20000) n;
INSERT INTO rules.heartbeats_hourly SELECT 'U' || n % 900, TIMESTAMPTZ '2026-11-01Z' + n * interval '1 hour', 60
FROM generate_series(1, 20000) n;
INSERT INTO compliance.figures SELECT 'time_weighted_networking_rate', 'S1', 'town', 'T' || t, 'day', at,
    at + interval '1 day', 1, now(), now(), 1, 1, 0, 0, '100.0', '100.0', '100.0', 'compliant', 'low_meets_target', 'p',
    1, '{}', '{}'
FROM generate_series(1, 60) t, generate_series(TIMESTAMPTZ '2025-11-01 16:00Z', '2026-11-01Z', '1 day') at;
INSERT INTO compliance.interruptions SELECT 'U' || n % 20000, n * 1000000, n * 1000000 + 5, 'offline', 'deadline', 'G',
    n * 1000000 - 7 FROM generate_series(1::bigint, 60000) n;
INSERT INTO compliance.losses SELECT 'U' || n % 20000, 'G', n * 1000000, 'd', 'c', 't'
FROM generate_series(1::bigint, 60000) n;
INSERT INTO alerts.provider_messages SELECT 'sms', 'm' || n, 'N' || n, now(), NULL FROM generate_series(1, 20000) n;
INSERT INTO alerts.listings (listing_id, case_id, number, proposed_at, proposed_by, state)
SELECT 'L' || n, 'C' || n, 1, now(), 'b', 'proposed' FROM generate_series(1, 20000) n;
INSERT INTO alerts.listing_acts (listing_id, case_id, number, act, at, by, detail)
SELECT 'L' || n, 'C' || n, 1, 'propose', now(), 'b', '{}' FROM generate_series(1, 20000) n;
INSERT INTO alerts.listing_files (listing_id, case_id, number, name, media_type, sha256, size, content)
SELECT 'L' || n, 'C' || n, 1, 'f', 'application/pdf', 'h', 1, 'x' FROM generate_series(1, 20000) n;
INSERT INTO compliance.outages SELECT 'U' || n % 20000, TIMESTAMPTZ '2026-10-01Z' + n * interval '1 second', 1, now(),
    now(), now(), 'offline', 'deadline', 'unit', 'G', now(), NULL, NULL, NULL, false FROM generate_series(1, 60000) n;
"""


@pytest.fixture(scope="module")
def full(postgres_server: Postgres, migrated_template: str) -> Iterator[psycopg.Connection[Any]]:
    """A connection to a database with the rows of a large district."""
    with fresh_database(postgres_server, migrated_template) as name:
        dsn = postgres_server.dsn(name)
        with psycopg.connect(dsn, autocommit=True, cursor_factory=psycopg.ClientCursor) as connection:
            connection.execute(FILL)
            connection.execute("VACUUM ANALYZE")
            yield connection


def nodes(plan: Plan) -> Iterator[Plan]:
    yield plan
    for inner in plan.get("Plans", ()):
        yield from nodes(inner)


def explained(connection: psycopg.Connection[Any], statement: str, parameters: Plan | tuple[object, ...]) -> list[Plan]:
    """Return the nodes of the plan; `{slice}` and other braces count as filled."""
    row = connection.execute(f"EXPLAIN (FORMAT JSON) {statement}".encode(), parameters).fetchone()
    assert row is not None
    return list(nodes(row[0][0]["Plan"]))


SLICE = CONSOLE["slice_of_department"]
OLD = datetime(2026, 11, 1, 0, 20, tzinfo=UTC)
EMPTY = ("comments", "owners", "shelved", "verifications")
"""Of work on cases there is none here; their keys begin with the case."""
AGED: Plan = {"before": OLD, "rows": 200, "first": OLD - timedelta(days=30), "last": OLD}
HISTORY: Plan = {
    "metric": "time_weighted_networking_rate", "kinds": ["day", "week", "month"], "scope": "S1", "dimension": "town",
    "value": "T7", "first": date(2025, 11, 22), "last": date(2026, 11, 22),
    "days": [date(2026, 11, day) for day in range(1, 29)],
}  # fmt: skip
REFUSALS: Plan = {
    "reason": None, "gateway_id": None, "state": None, "offset": 0, "limit": 50, "lapsed": NOW, "since": NOW,
}  # fmt: skip


REPORT_SLICE = CONSOLE["report_department"]
REPORT: Plan = {
    "dimension": "town", "value": "T7", "kind": "day", "begins": datetime(2026, 11, 3, 16, tzinfo=UTC), "first": 20_000,
    "last": 20_030, "ends": datetime(2026, 11, 4, 16, tzinfo=UTC), "until": datetime(2026, 11, 4, 16, tzinfo=UTC),
    "unit_ids": ["U200", "U400"], "most": 100, "now": NOW, "flood": 12,
}  # fmt: skip


@pytest.mark.parametrize(
    ("statement", "parameters", "index"),
    [
        pytest.param(
            RULES["fence"],
            {
                "partition": 3,
                "owner_epoch": 1,
                "next_offset": 9,
                "watermark": NOW,
                "visibility": "clear",
                "blind_after_s": 9,
            },
            "partitions_pkey",
            id="rules: fence of a checkpoint",
        ),
        pytest.param(RULES["load"], {"partition": 3}, "snapshots_pkey", id="rules: load"),
        pytest.param(RULES["forget_snapshots"], {"partition": 3, "seq": 9}, "snapshots_pkey", id="rules: forget"),
        pytest.param(RULES["load_rates"], {"partition": 3}, "rate_counts_pkey", id="rules: rates of a claim"),
        pytest.param(RULES["forget_rates"], {"partition": 3}, "rate_counts_pkey", id="rules: rates anew"),
        pytest.param(RULES["waiting"], {"partitions": [3, 4], "most": 100}, "outbox_pkey", id="rules: outbox"),
        pytest.param(RULES["sent"], {"positions": [3, 4]}, "outbox_pkey", id="rules: sent"),
        pytest.param(ADVANCE, (9, "t", 3, 1), "partitions_pkey", id="alerts: fence of an intake"),
        pytest.param(
            ALERTS["book"],
            (["unit"], ["U200"], ["connection_lost"], ["C3"]),
            "cases_recent_of_subject",
            id="alerts: open and last case of a subject",
        ),
        pytest.param(ALERTS["cases_due"], ("step", NOW, ["fire"], 100), "clocks_due", id="alerts: claim of due clocks"),
        pytest.param(
            ALERTS["urgent_due"],
            ("step", NOW, ["fire"], 100),
            "one_open_case_of_subject",
            id="alerts: claim of due clocks of alarms",
        ),
        pytest.param(
            ALERTS["open_urgent"], (["fire"], 100), "one_open_case_of_subject", id="alerts: open fires, for memory"
        ),
        pytest.param(ALERTS["loose_losses"], (NOW, 100), "cases_loose", id="alerts: losses without a common cause"),
        pytest.param(
            ALERTS["open_common_cases"], (timedelta(seconds=120),), "cases_common", id="alerts: members of common cases"
        ),
        pytest.param(ALERTS["cases_counted_by"], (["old"], 500), "clocks_counted", id="alerts: clocks to count again"),
        pytest.param(ALERTS["recipients"], (["C1", "C2"],), "notices_by_case", id="alerts: whom a case told"),
        pytest.param(
            ALERTS["update_cases"],
            {"rows": '[{"case_id": "C200"}]', "ladders": "[]"},
            "cases_pkey",
            id="alerts: cases as they are now",
        ),
        pytest.param(
            ALERTS["insert_cases_like"],
            ('[{"case_id": "C900000", "first": "C200"}]',),
            "cases_pkey",
            id="alerts: ladder of a case that stands",
        ),
        pytest.param(
            ALERTS["save_clocks"],
            {"case_ids": ["C200"], "clocks": '[{"case_id": "C200", "kind": "step"}]', "kinds": ["step", "reply"]},
            "clocks_pkey",
            id="alerts: clocks as they are now",
        ),
        pytest.param(ALERTS["clocks"], (["C200", "C400"],), "clocks_pkey", id="alerts: clocks that changed meanwhile"),
        pytest.param(ALERTS["receipts"], (["C200", "C400"],), "receipts_pkey", id="alerts: receipts, read again"),
        pytest.param(
            ALERTS["cancel_signed"], (["C200"], ["b"]), "notices_by_case", id="alerts: taken back from who signed"
        ),
        pytest.param(
            ALERTS["hold_clocks"],
            (NOW, ["C200", "C400"]),
            "clocks_pkey",
            id="alerts: clocks of members",
        ),
        pytest.param(
            ALERTS["cancel_notices"], (["C200"], ["notice"], ["closed"]), "notices_by_case", id="alerts: taken back"
        ),
        pytest.param(
            ALERTS["notices_due"], (False, NOW, ["a1"], [], [], 100), "notices_due", id="alerts: due deliveries"
        ),
        pytest.param(
            ALERTS["claim_notices"], (["N200", "N400"], NOW), "notices_pkey", id="alerts: claim of deliveries"
        ),
        pytest.param(
            ALERTS["lease"], {"ids": ["N200", "N400"], "until": NOW}, "notices_pkey", id="alerts: lease of deliveries"
        ),
        pytest.param(ALERTS["unpublished"], (100,), "notices_unpublished", id="alerts: events of notices to send"),
        pytest.param(
            ALERTS["awaiting"], (["Q200", "Q400"],), "notices_of_request", id="alerts: waiting for a document"
        ),
        pytest.param(ALERTS["unpublished_requests"], (100,), "requests_waiting", id="alerts: requests to send"),
        pytest.param(ALERTS["withdraw_requests"], (), "requests_waiting", id="alerts: requests of nobody"),
        pytest.param(DOCUMENTS["issued"], (["D200", "D400"],), "documents_pkey", id="documents: issued before"),
        pytest.param(DOCUMENTS["unpublished"], (100,), "documents_unpublished", id="documents: to be told of"),
        pytest.param(DOCUMENTS["renditions"], (["D200", "D400"],), "renditions_pkey", id="documents: texts"),
        pytest.param(DOCUMENTS["files"], (["D200", "D400"],), "rendition_files_pkey", id="documents: files"),
        pytest.param(DOCUMENTS["lacking_files"], (5,), "documents_without_files", id="documents: files to be made"),
        pytest.param(ALERTS["files_of"], (["Q200", "Q400"],), "document_files_pkey", id="alerts: files of a mail"),
        pytest.param(ALERTS["steps_taken"], (["C200", "C400"],), "steps_pkey", id="alerts: steps taken before"),
        pytest.param(
            CONSOLE["case_documents"], {"case_id": "C200"}, "documents_of_case", id="console: documents of a case"
        ),
        pytest.param(ALERTS["pending"], (100,), "audit_pending_pkey", id="alerts: entries to seal"),
        pytest.param(
            ALERTS["seal_pending"],
            {"ids": [200, 400], "hashes": ["a", "b"], "last_seq": 0, "last_hash": ""},
            "audit_pending_pkey",
            id="alerts: entries that are sealed",
        ),
        pytest.param(ALERTS["last_link"], (), "audit_pkey", id="alerts: end of the chain"),
        pytest.param(ALERTS["links"], (100, 100), "audit_pkey", id="alerts: links of the chain"),
        pytest.param(ALERTS["forget_seen"], (NOW - timedelta(days=20),), "seen_at", id="alerts: seen long ago"),
        pytest.param(ALERTS["open_cases_count"], (), "cases_open", id="alerts: open cases, counted"),
        pytest.param(ALERTS["waiting_notices_count"], (), "notices_due", id="alerts: waiting notices, counted"),
        pytest.param(
            ALERTS["violations"],
            {"overdue": NOW, "now": NOW},
            "cases_open",
            id="alerts: overdue, counted",
        ),
        pytest.param(ALERTS["stranded"], (NOW,), "notices_due", id="alerts: notices that nobody would send, counted"),
        pytest.param(ALERTS["to_group"], (NOW, 100), "notices_to_group", id="alerts: notices that wait for others"),
        pytest.param(ALERTS["digests_due"], (NOW, ["a1"], [], 100), "digests_due", id="alerts: due digests"),
        pytest.param(ALERTS["claim_digests"], (["X200", "X400"], NOW), "digests_due", id="alerts: claim of digests"),
        pytest.param(
            ALERTS["digest_members"], (["X200", "X400"],), "notices_of_digest", id="alerts: notices of digests"
        ),
        pytest.param(ALERTS["quiet"], (NOW, 100), "cases_quiet", id="alerts: cases that have been quiet"),
        pytest.param(CONSOLE["refusal_page"], REFUSALS, "refusals_newest", id="console: newest refusals"),
        pytest.param(
            CONSOLE["refusal_page"],
            {**REFUSALS, "gateway_id": "G7"},
            "refusals_by_gateway",
            id="console: refusals of a gateway",
        ),
        pytest.param(
            CONSOLE["unit"].format(slice=SLICE),
            {"unit_id": "U7", "department": "D7"},
            "units_pkey",
            id="console: one unit",
        ),
        pytest.param(
            COMPLIANCE["losses_between"], (7_000_000, 9_000_000), "losses_at", id="compliance: who was lost then"
        ),
        pytest.param(
            COMPLIANCE["interruptions_between"],
            {"start": 7_000_000, "end": 9_000_000, "lost_from": 6_000_000, "lost_to": 8_000_000},
            "interruptions_started",
            id="compliance: outages of a day",
        ),
        pytest.param(
            CONSOLE["unit_outages"], {"unit_id": "U7", "most": 20}, "outages_pkey", id="console: outages of a unit"
        ),
        pytest.param(
            CONSOLE["passages"],
            {"unit_id": "U7", "since": NOW - timedelta(days=90)},
            "transitions_by_unit",
            id="console: what a unit went through",
        ),
        pytest.param(
            CONSOLE["case_marks"].format(slice=SLICE),
            {"unit_ids": ["U200", "U400"], "department": "D0"},
            "one_open_case_of_subject",
            id="console: marks of units",
        ),
        pytest.param(
            CONSOLE["fires"].format(slice="TRUE"), {"kinds": ["fire"]}, "one_open_case_of_subject", id="console: fires"
        ),
        pytest.param(
            CONSOLE["fires_ended"].format(slice="TRUE"), {}, "fires_untaken", id="console: fires ended untaken"
        ),
        pytest.param(CONSOLE["history_published"], HISTORY, "figures_of_slice", id="console: figures of a year"),
        pytest.param(CONSOLE["history_samples"], HISTORY, "rate_samples_pkey", id="console: samples of a year"),
        pytest.param(CONSOLE["report_periods"], REPORT, "figures_of_slice", id="console: closed periods"),
        pytest.param(CONSOLE["report_figures"], REPORT, "figures_of_slice", id="console: figures of a report"),
        pytest.param(
            CONSOLE["report_outages"].format(slice=REPORT_SLICE),
            {**REPORT, "value": "D7"},
            "outages_pkey",
            id="console: outages of a department",
        ),
        pytest.param(
            CONSOLE["report_cases"].format(slice=REPORT_SLICE), REPORT, "cases_opened", id="console: cases of a report"
        ),
        pytest.param(
            CONSOLE["report_findings"].format(slice=REPORT_SLICE),
            REPORT,
            "cases_opened",
            id="console: what fires of a report were found to be",
        ),
        pytest.param(
            CONSOLE["report_hours"].format(slice=REPORT_SLICE), REPORT, "cases_opened", id="console: hours of a report"
        ),
        pytest.param(
            CONSOLE["report_papers"].format(slice=REPORT_SLICE),
            REPORT,
            "documents_newest",
            id="console: papers of a report",
        ),
        pytest.param(
            CONSOLE["report_steps"].format(slice=REPORT_SLICE), REPORT, "steps_pkey", id="console: steps of a report"
        ),
        pytest.param(RULES["retention_horizon"], {}, "figures_of_period", id="rules: what is not closed"),
        pytest.param(RULES["transitions_delete"], AGED, "transitions_effective_at_idx", id="rules: old transitions"),
        pytest.param(RULES["transitions_needed"], AGED, "transitions_effective_at_idx", id="rules: a chunk of them"),
        pytest.param(
            RULES["components_delete"], AGED, "component_transitions_effective_at_idx", id="rules: old components"
        ),
        pytest.param(
            RULES["components_needed"],
            AGED,
            "component_transitions_effective_at_idx",
            id="rules: a chunk of components",
        ),
        pytest.param(RULES["signals_delete"], AGED, "signals_received_at_idx", id="rules: old signals"),
        pytest.param(RULES["signals_needed"], AGED, "signals_received_at_idx", id="rules: a chunk of signals"),
        pytest.param(RULES["hours_delete"], AGED, "heartbeats_hourly_hour_idx", id="rules: old counts of heartbeats"),
        pytest.param(RULES["samples_delete"], AGED, "rate_samples_sampled_at_idx", id="rules: old samples"),
        pytest.param(ALERTS["cases_forget"], AGED, "cases_closed", id="alerts: old cases"),
        pytest.param(ALERTS["cases_forget"], AGED, "requests_of_case", id="alerts: requests of old cases"),
        pytest.param(CONSOLE["receipts"], {"case_ids": ["C200", "C400"]}, "receipts_pkey", id="console: receipts"),
        pytest.param(CONSOLE["steps"], {"case_ids": ["C200", "C400"]}, "steps_pkey", id="console: steps of cases"),
        pytest.param(
            CONSOLE["delivery_counts"], {"case_ids": ["C200", "C400"]}, "notices_by_case", id="console: deliveries"
        ),
    ],
)
def test_a_hot_statement_goes_by_its_index(
    full: psycopg.Connection[Any], statement: str, parameters: Plan | tuple[object, ...], index: str
) -> None:
    plan = explained(full, statement, parameters)
    assert index in {node.get("Index Name") for node in plan}
    walked = {node["Relation Name"] for node in plan if node["Node Type"] == "Seq Scan"}
    assert walked <= {"accounts", "partitions", "audit_pending", "digests", *EMPTY}, "small, whatever the district"


def test_the_newest_refusals_are_not_sorted_anew(full: psycopg.Connection[Any]) -> None:
    assert "Sort" not in {node["Node Type"] for node in explained(full, CONSOLE["refusal_page"], REFUSALS)}


def test_a_checkpoint_finds_the_rows_that_it_replaces_by_key(full: psycopg.Connection[Any]) -> None:
    arbiters = {
        "snapshot": "snapshots_pkey", "transitions": "transitions_pkey",
        "components": "component_transitions_pkey", "signals": "signals_pkey",
        "hours": "heartbeats_hourly_pkey", "samples": "rate_samples_pkey", "units": "units_pkey",
        "rates": "rate_counts_pkey", "outbox": "outbox_event_id_key",
    }  # fmt: skip
    one: Plan = {"partition": 3, "seq": 999, "base": False, "body": b"x"}
    named = {"hours", "units", "rates", "outbox"}  # the others leave it to any key: ON CONFLICT DO NOTHING
    for name, key in arbiters.items():
        parameters: Any = one if name == "snapshot" else ["[]"]
        plan = explained(full, RULES[name], parameters)
        assert plan[0]["Operation"] == "Insert"
        assert plan[0].get("Conflict Arbiter Indexes", []) == ([key] if name in named else [])
        assert "Seq Scan" not in {node["Node Type"] for node in plan}


def test_a_slice_reads_the_units_once_and_nothing_else_in_full(full: psycopg.Connection[Any]) -> None:
    """The tally and the rates of a slice count all its units: of a department that is its index, of the whole, all."""
    asked = {"department": "D7", "town": None, "community": None}
    accountable = {"accountable": CONSOLE["accountable_lead"]}
    for name, more in (("tally", {}), ("rates_of_slice", accountable), ("map_units", {})):
        plan = explained(full, CONSOLE[name].format(slice=SLICE, **more), asked)
        assert sum(node.get("Relation Name") == "units" for node in plan) == 1, name
        walked = {node["Relation Name"] for node in plan if node["Node Type"] == "Seq Scan"}
        assert walked <= {"units", "partitions"}, name

"""The console's questions to the database, named. `{slice}` and `{where}` are filled from closed texts below."""

# ruff: noqa: S608 - every part that is put together here is a constant of this file; values travel as parameters

SIGHT = "SELECT partition, watermark, sight FROM rules.sight_now ORDER BY partition"

NAMES = (
    "SELECT kind, valid_from, body FROM registry.in_force WHERE kind IN ('pack', 'department') ORDER BY valid_from, id"
)

SLICE_WHOLE = "TRUE"
# A street or town answers for everything in its area, whoever leads: its body code is the town of its units.
# Nobody leads, and nobody is copied on, an alarm of a gateway that is in no register: it is in no slice.
SLICE_OF_DEPARTMENT = (
    "(lead_department = %(department)s OR copy_departments @> ARRAY[%(department)s::text] OR town = %(department)s)"
    " AND %(department)s <> ''"
)

# What burns, then what may burn, then the rest.
URGENCY = "CASE kind WHEN 'fire' THEN 0 WHEN 'unreadable_alarm' THEN 1 WHEN 'unregistered_alarm' THEN 1 ELSE 2 END"

# Well: connected or rightly absent, and nothing wrong inside. Everything else is on the list.
TROUBLED = (
    "(connection_now NOT IN ('online', 'exempt', 'retired')"
    " OR health_now NOT IN ('normal', 'unknown') OR partly_connected OR unstable_now)"
)

TALLY = """
SELECT connection_now, health_now, count(*), count(*) FILTER (WHERE {troubled}), count(*) FILTER (WHERE NOT routed),
       sum((extract(epoch FROM updated_at) * 1000)::bigint)::bigint
FROM rules.units_now WHERE {slice} AND connection <> 'retired' GROUP BY 1, 2
"""

RATES_WHOLE = """
SELECT scope, dimension, value, in_scope, connected, late, offline, unknown, never, commissioning, exempt
FROM rules.rates_now WHERE dimension IN ('district', 'town', 'department', 'category')
"""

IS_TOWN = "SELECT EXISTS (SELECT FROM rules.units WHERE town = %(department)s)"

# A department answers for the units it leads, a street for those in its area: the same sum as its row on the
# district's board, here split by the other dimensions as well.
RATES_OF_SLICE = """
SELECT scope,
       CASE WHEN grouping(town) = 0 THEN 'town' WHEN grouping(category) = 0 THEN 'category'
            WHEN grouping(lead_department) = 0 THEN 'department' ELSE 'district' END,
       coalesce(CASE WHEN grouping(town) = 0 THEN town WHEN grouping(category) = 0 THEN category
            WHEN grouping(lead_department) = 0 THEN lead_department END, ''),
       count(*),
       count(*) FILTER (WHERE connection_now IN ('online', 'late') AND NOT partly_connected),
       count(*) FILTER (WHERE connection_now = 'late' AND NOT partly_connected),
       count(*) FILTER (WHERE connection_now = 'offline'
                           OR (partly_connected AND connection_now IN ('online', 'late'))),
       count(*) FILTER (WHERE connection_now = 'unknown'),
       count(*) FILTER (WHERE connection_now = 'never_connected'),
       count(*) FILTER (WHERE connection_now = 'commissioning'),
       count(*) FILTER (WHERE connection_now = 'exempt')
FROM rules.units_now CROSS JOIN LATERAL unnest(scopes) AS scope
WHERE {slice} AND {accountable} AND connection <> 'retired'
GROUP BY GROUPING SETS ((scope), (scope, town), (scope, category), (scope, lead_department))
"""
ACCOUNTABLE_LEAD = "lead_department = %(department)s"
ACCOUNTABLE_TOWN = "town = %(department)s"

UNIT_COLUMNS = """
unit_id, name, name_en, town, community, category, address, lead_department, copy_departments, routed, scopes,
connection_now, connection_since, connection_detected_at, health_now, health_since, last_proof_at, partly_connected,
open_fires, open_faults, open_isolations, CASE WHEN unstable_now THEN line_drops ELSE 0 END,
CASE WHEN unstable_now THEN unstable_until END
"""

PRESSING = """
CASE WHEN health_now = 'fire' THEN 0
     WHEN connection_now = 'offline' THEN 1
     WHEN partly_connected THEN 2
     WHEN health_now = 'fault' THEN 3
     WHEN health_now = 'isolated' THEN 4
     WHEN health_now = 'partly_isolated' THEN 5
     WHEN connection_now = 'late' THEN 6
     WHEN unstable_now THEN 7
     WHEN connection_now = 'never_connected' THEN 8
     WHEN connection_now = 'unknown' THEN 9
     WHEN connection_now = 'commissioning' THEN 10
     WHEN connection_now = 'exempt' THEN 11 ELSE 12 END
"""

UNITS = f"""
SELECT {UNIT_COLUMNS}
FROM rules.units_now WHERE {{slice}} AND {{where}}
ORDER BY {PRESSING}, greatest(connection_since, health_since) DESC NULLS LAST, unit_id
OFFSET %(offset)s LIMIT %(limit)s
"""
UNITS_COUNT = "SELECT count(*) FROM rules.units_now WHERE {slice} AND {where}"
UNIT = f"SELECT {UNIT_COLUMNS} FROM rules.units_now WHERE {{slice}} AND unit_id = %(unit_id)s"

PASSAGES = """
SELECT aspect, from_state, to_state, effective_at, detected_at, cause,
       evidence_topic || '/' || evidence_partition || '/' || evidence_offset
FROM rules.transitions WHERE unit_id = %(unit_id)s AND effective_at >= %(since)s
ORDER BY effective_at DESC, transition_id LIMIT 200
"""

# People are shown by name; whoever acknowledged by link or letter has no account here.
WHO = "coalesce((SELECT a.display_name FROM console.accounts a WHERE a.username = acknowledged_by), acknowledged_by)"

CASE_MARKS = f"""
SELECT subject_id, case_id, kind, step, next_step, next_step_at, {WHO}, acknowledged_at
FROM alerts.cases WHERE {{slice}} AND state = 'open' AND subject_kind = 'unit' AND subject_id = ANY(%(unit_ids)s)
ORDER BY subject_id, {URGENCY}, kind <> 'connection_lost', opened_at
"""

CASE_UNIT = "CASE WHEN c.subject_kind = 'unit' THEN c.subject_id END"

CASE_COLUMNS = f"""
case_id, kind, state, {CASE_UNIT}, unit_name, unit_name_en, town, category, lead_department, copy_departments,
cause_key,
CASE WHEN kind = 'common_cause'
     THEN (SELECT count(*) FROM alerts.cases m WHERE m.common_case_id = c.case_id) ELSE 0 END,
effective_at, detected_at, opened_at, closed_at, drops, step, next_step, next_step_at, held_until, reply_due_at,
acknowledged_at, {WHO}, acknowledged_note, acknowledged_step, ladder,
coalesce((SELECT u.address FROM rules.units u WHERE u.unit_id = {CASE_UNIT}), '')
"""

CASES_OPEN = f"""
SELECT {CASE_COLUMNS} FROM alerts.cases c WHERE {{slice}} AND state = 'open' AND {{outside}}
ORDER BY {URGENCY}, acknowledged_at IS NOT NULL, kind <> 'common_cause', next_step_at NULLS LAST, opened_at,
         case_id
OFFSET %(offset)s LIMIT %(limit)s
"""
CASES_CLOSED = f"""
SELECT {CASE_COLUMNS} FROM alerts.cases c WHERE {{slice}} AND state = 'closed'
ORDER BY closed_at DESC NULLS LAST, case_id OFFSET %(offset)s LIMIT %(limit)s
"""
CASE = f"SELECT {CASE_COLUMNS} FROM alerts.cases c WHERE {{slice}} AND case_id = %(case_id)s"
CASE_PAPERS = """
SELECT finding_id, clause, route_clause, pack_id, pack_version, evidence, close_reason, acknowledged_via,
       common_case_id, sightings
FROM alerts.cases WHERE case_id = %(case_id)s
"""
# Whoever sees the common case sees its members there, not once more in the list.
OUTSIDE_COMMON = (
    "NOT EXISTS (SELECT FROM alerts.cases o"
    " WHERE o.case_id = c.common_case_id AND o.state = 'open' AND c.kind <> 'fire')"
)
CASE_COUNTS = """
SELECT count(*), count(*) FILTER (WHERE acknowledged_at IS NULL), count(*) FILTER (WHERE held_until > now())
FROM alerts.cases WHERE {slice} AND state = 'open'
"""
CASES_CLOSED_COUNT = "SELECT count(*), 0, 0 FROM alerts.cases WHERE {slice} AND state = 'closed'"

# What was received of the very kind, from the begin of the case on. An alarm of a gateway in no register is no signal.
CASE_SIGNALS = """
SELECT s.received_at, s.kind, s.gateway_id, coalesce(s.body #>> '{{point,address}}', ''),
       coalesce(s.body #>> '{{point,label}}', ''), coalesce(s.body ->> 'text', ''),
       coalesce(s.body -> 'flags' ? 'salvaged', false), s.body -> 'notes', s.body ->> 'refusal_id'
FROM alerts.cases c JOIN rules.signals s ON c.subject_kind = 'unit' AND s.unit_id = c.subject_id AND s.kind = c.kind
 AND s.received_at BETWEEN least(c.effective_at, c.detected_at) - interval '1 second' AND coalesce(c.closed_at, now())
WHERE c.case_id = %(case_id)s ORDER BY s.received_at, s.signal_id LIMIT 50
"""

STEPS = """
SELECT case_id, step, due_at, taken_at, document, clause, told, nobody
FROM alerts.steps WHERE case_id = ANY(%(case_ids)s) ORDER BY case_id, taken_at, step
"""
DELIVERY_COUNTS = """
SELECT case_id, state, count(*) FROM alerts.notices WHERE case_id = ANY(%(case_ids)s) GROUP BY 1, 2
"""
DELIVERIES = """
SELECT notice_id, step, purpose, body_code, contact_id, channel, subject, state, attempts, created_at, ended_at, reason
FROM alerts.notices WHERE case_id = %(case_id)s ORDER BY created_at, notice_id LIMIT 500
"""

FIRES = f"""
SELECT c.subject_id, c.case_id, c.unit_name, c.unit_name_en,
       coalesce((SELECT u.address FROM rules.units u WHERE u.unit_id = {CASE_UNIT}), ''), c.town, c.effective_at,
       {WHO}, c.acknowledged_at, c.kind
FROM alerts.cases c WHERE {{slice}} AND state = 'open' AND subject_kind = 'unit' AND kind = ANY(%(kinds)s)
ORDER BY acknowledged_at IS NOT NULL, {URGENCY}, effective_at DESC LIMIT 50
"""
# Known to rules, not (or no longer) an open case: the banner must not depend on alerts being alive.
FIRES_WITHOUT_CASE = """
SELECT u.unit_id, NULL, u.name, u.name_en, u.address, u.town, coalesce(u.health_since, u.updated_at), NULL, NULL, 'fire'
FROM rules.units u WHERE {slice} AND health = 'fire' AND NOT EXISTS (
  SELECT FROM alerts.cases c
  WHERE c.subject_kind = 'unit' AND c.subject_id = u.unit_id AND c.kind = 'fire' AND c.state = 'open')
ORDER BY health_since DESC LIMIT 50
"""

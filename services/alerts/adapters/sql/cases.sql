-- Cases and what one transaction writes with them. Many rows travel as one JSON parameter: one round trip per table.

-- try_lock --
SELECT pg_try_advisory_xact_lock(%s)

-- notify --
SELECT pg_notify(%s, %s)

-- unseen --
INSERT INTO alerts.seen (event_id, seen_at) SELECT id, %s FROM unnest(%s::text[]) AS id
ON CONFLICT DO NOTHING RETURNING event_id

-- case_columns --
-- By name, never by `*`: a column that the next version adds must not change what a running one has prepared. Guarded
-- times, and the ladder below, as text: thousands of cases have the same ones, which are read once.
c.case_id, c.kind, c.subject_kind, c.subject_id, c.finding_id, c.state, c.effective_at, c.detected_at, c.opened_at,
c.closed_at, c.close_reason, c.unit_name, c.unit_name_en, c.district, c.town, c.category, c.lead_department,
c.copy_departments, c.route_clause, c.cause_key, c.common_case_id, c.sightings, c.drops, c.last_sighting_at, c.pack_id,
c.pack_version, c.clause, c.evidence, c.step, c.held_until, c.acknowledged_at, c.acknowledged_by,
c.acknowledged_via, c.acknowledged_note, c.acknowledged_step, c.carriers, c.burning, c.alarms, c.reported, c.ended,
c.restored_at, c.over_at, c.revision, c.place, c.begins, c.flapping_since, c.quiet_until, c.closes,
c.lapse_delay_s, c.listing_due_at, c.listing_id, c.cured_at, c.guarded::text AS guarded

-- whole_case --
-- With its clocks and receipts, in the same round trip. A case that somebody changed while we waited for its lock comes
-- as it is now, its clocks, receipts, ladder and `seen_revision` as they were when the statement began: where the two
-- revisions differ, these have to be read again. The ladder is asked for beside the row, for what is written out in the
-- row itself is written out of all rows before they are put in order and counted off: kilobytes of thousands for each
-- hundred that are due.
{case_columns},
coalesce((SELECT jsonb_agg(to_jsonb(k)) FROM alerts.clocks k WHERE k.case_id = c.case_id), '[]') AS clocks,
coalesce((SELECT jsonb_agg(to_jsonb(r) ORDER BY r.at, r.body_code) FROM alerts.receipts r WHERE r.case_id = c.case_id),
         '[]') AS receipts,
(SELECT s.ladder::text FROM alerts.cases s WHERE s.case_id = c.case_id) AS ladder,
(SELECT s.revision FROM alerts.cases s WHERE s.case_id = c.case_id) AS seen_revision

-- clocks --
SELECT case_id, jsonb_agg(to_jsonb(k)) AS clocks FROM alerts.clocks k WHERE case_id = ANY(%s) GROUP BY 1

-- receipts --
SELECT case_id, jsonb_agg(to_jsonb(r) ORDER BY r.at, r.body_code) AS receipts
FROM alerts.receipts r WHERE case_id = ANY(%s) GROUP BY 1

-- ladders --
SELECT case_id, ladder::text AS ladder FROM alerts.cases WHERE case_id = ANY(%s)

-- book --
-- Of each subject and kind the open case and the one closed last. Locked in the order of their ids: two transactions
-- that want the same cases wait for each other, they never block each other for good.
SELECT {whole_case} FROM alerts.cases c
WHERE c.case_id = ANY(ARRAY(
    SELECT found.case_id
    FROM unnest(%s::text[], %s::text[], %s::text[]) AS wanted (subject_kind, subject_id, kind)
    CROSS JOIN LATERAL (
        SELECT o.case_id FROM alerts.cases o
        WHERE o.subject_kind = wanted.subject_kind AND o.subject_id = wanted.subject_id AND o.kind = wanted.kind
        ORDER BY o.closed_at DESC NULLS FIRST LIMIT 2
    ) found
) || %s::text[])
ORDER BY c.case_id FOR UPDATE

-- cases --
SELECT {whole_case} FROM alerts.cases c WHERE c.case_id = ANY(%s)

-- case_at --
-- The case of the subject and kind that began last by then.
SELECT {whole_case} FROM alerts.cases c
WHERE c.case_id = (SELECT o.case_id FROM alerts.cases o
                   WHERE o.subject_kind = %s AND o.subject_id = %s AND o.kind = %s AND o.detected_at <= %s
                   ORDER BY o.detected_at DESC LIMIT 1)
FOR UPDATE

-- urgent_due --
-- Whatever else is due: an alarm stands behind nothing. Found by what is open, for thousands of losses may be due.
SELECT {whole_case} FROM alerts.cases c JOIN alerts.clocks due USING (case_id)
WHERE due.kind = %s AND due.due_at <= %s AND c.state = 'open' AND c.subject_kind = 'unit' AND c.kind = ANY(%s)
ORDER BY due.due_at LIMIT %s FOR UPDATE OF c SKIP LOCKED

-- cases_due --
-- All that `urgent_due` does not find.
SELECT {whole_case} FROM alerts.clocks due JOIN alerts.cases c USING (case_id)
WHERE due.kind = %s AND due.due_at <= %s AND c.state = 'open'
  AND NOT (c.subject_kind = 'unit' AND c.kind = ANY(%s))
ORDER BY due.due_at LIMIT %s FOR UPDATE OF c SKIP LOCKED

-- quiet --
-- What flapped and has been quiet for long enough.
SELECT {whole_case} FROM alerts.cases c WHERE c.state = 'open' AND c.quiet_until <= %s
ORDER BY c.quiet_until LIMIT %s FOR UPDATE OF c SKIP LOCKED

-- open_urgent --
SELECT case_id FROM alerts.cases WHERE state = 'open' AND subject_kind = 'unit' AND kind = ANY(%s)
ORDER BY opened_at DESC LIMIT %s

-- recipients --
-- Whom the notices of a case reached or may have reached, but for those who had the all-clear since.
SELECT DISTINCT ON (n.case_id, n.contact_id, n.channel, n.address)
       n.case_id, n.contact_id, n.body_code, n.channel, n.address, n.secret_ref, n.lang
FROM alerts.notices n
WHERE n.case_id = ANY(%s) AND n.purpose = 'notice' AND n.attempts > 0
  AND NOT EXISTS (SELECT FROM alerts.notices a
                  WHERE a.case_id = n.case_id AND a.purpose = 'all_clear' AND a.state <> 'cancelled'
                    AND a.contact_id = n.contact_id AND a.channel = n.channel AND a.created_at > n.created_at)
ORDER BY n.case_id, n.contact_id, n.channel, n.address, n.created_at DESC

-- loose_losses --
SELECT case_id, detected_at, carriers, town, district FROM alerts.cases
WHERE state = 'open' AND kind = 'connection_lost' AND common_case_id IS NULL AND last_sighting_at >= %s
  AND quiet_until IS NULL AND cured_at IS NULL
ORDER BY last_sighting_at LIMIT %s

-- open_common_cases --
-- With the members that are out, and all that the last drop took: those found since, or within a window before.
SELECT c.case_id, m.out, m.taken
FROM alerts.cases c CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE m.state = 'open' AND m.quiet_until IS NULL AND m.cured_at IS NULL) AS out, count(*) FILTER (WHERE m.detected_at >= c.detected_at - %s::interval) AS taken
    FROM alerts.cases m WHERE m.common_case_id = c.case_id
) m
WHERE c.state = 'open' AND c.kind = 'common_cause'

-- hold_cases --
UPDATE alerts.cases SET common_case_id = %(common_case_id)s, held_until = %(until)s, revision = revision + 1
WHERE case_id = ANY(%(case_ids)s) AND state = 'open' AND kind <> 'fire' RETURNING case_id

-- hold_clocks --
UPDATE alerts.clocks SET due_at = greatest(due_at, %s) WHERE case_id = ANY(%s) AND kind = 'step'

-- hold_notices --
-- One that is in a digest is asked about when that leaves.
UPDATE alerts.notices SET next_attempt_at = %s, reason = %s
WHERE case_id = ANY(%s) AND purpose = 'notice' AND state = 'pending' AND digest_id IS NULL

-- release_cases --
-- The hold of a cause that has cleared ends earlier: what waits for the old end waits for the new one.
UPDATE alerts.cases SET held_until = %(until)s, revision = revision + 1
WHERE common_case_id = %(common_case_id)s AND state = 'open' AND held_until > %(until)s RETURNING case_id

-- release_clocks --
UPDATE alerts.clocks SET due_at = %s WHERE case_id = ANY(%s) AND kind = 'step' AND due_at = %s

-- release_notices --
UPDATE alerts.notices SET next_attempt_at = %s
WHERE case_id = ANY(%s) AND purpose = 'notice' AND state = 'pending' AND next_attempt_at = %s

-- update_cases --
-- What never changes is not written; the revision counts by itself. A ladder stands in a row as its number in
-- `ladders`, null where it is as it was: kilobytes that are the same for thousands of cases are sent once.
UPDATE alerts.cases c SET
    finding_id = n.finding_id, state = n.state, effective_at = n.effective_at, detected_at = n.detected_at,
    closed_at = n.closed_at, close_reason = n.close_reason, unit_name = n.unit_name, unit_name_en = n.unit_name_en,
    district = n.district, town = n.town, category = n.category, lead_department = n.lead_department,
    copy_departments = n.copy_departments, route_clause = n.route_clause, cause_key = n.cause_key,
    common_case_id = n.common_case_id, sightings = n.sightings, drops = n.drops, last_sighting_at = n.last_sighting_at,
    pack_id = n.pack_id, pack_version = n.pack_version, clause = n.clause, evidence = n.evidence,
    ladder = coalesce(%(ladders)s::jsonb -> n.ladder::int, c.ladder),
    step = n.step, held_until = n.held_until, acknowledged_at = n.acknowledged_at, acknowledged_by = n.acknowledged_by,
    acknowledged_via = n.acknowledged_via, acknowledged_note = n.acknowledged_note,
    acknowledged_step = n.acknowledged_step, carriers = n.carriers, burning = n.burning, alarms = n.alarms,
    reported = n.reported, ended = n.ended, restored_at = n.restored_at, over_at = n.over_at, revision = c.revision + 1,
    place = n.place, begins = n.begins, flapping_since = n.flapping_since, quiet_until = n.quiet_until,
    closes = n.closes, lapse_delay_s = n.lapse_delay_s, listing_due_at = n.listing_due_at, listing_id = n.listing_id,
    cured_at = n.cured_at
FROM jsonb_populate_recordset(NULL::alerts.cases, %(rows)s::jsonb) n WHERE c.case_id = n.case_id

-- own_names --
-- What is each new case's own.
case_id, subject_id, finding_id, effective_at, detected_at, opened_at, unit_name, unit_name_en, town, category,
lead_department, copy_departments, route_clause, last_sighting_at, evidence, carriers, place, begins

-- shared_names --
-- What new cases that are alike have in common, but for guarded times and ladder.
kind, subject_kind, state, closed_at, close_reason, district, cause_key, common_case_id, sightings, drops, pack_id,
pack_version, clause, step, held_until, acknowledged_at, acknowledged_by, acknowledged_via, acknowledged_note,
acknowledged_step, burning, alarms, reported, ended, restored_at, over_at, revision, flapping_since, quiet_until, closes,
lapse_delay_s, listing_due_at, listing_id, cured_at

-- names_but_ladder --
{own_names}, {shared_names}, guarded

-- case_names --
{names_but_ladder}, ladder

-- insert_cases --
INSERT INTO alerts.cases ({case_names})
SELECT {names_but_ladder}, %(ladders)s::jsonb -> ladder::int
FROM jsonb_populate_recordset(NULL::alerts.cases, %(rows)s::jsonb)

-- insert_cases_like --
-- Cases that are alike to one that stands already: `first` names it. Of sixty columns those alone are sent that are
-- their own: to read the others costs the server as much as to write the row. And what is taken out of a row comes as it
-- lies there: a ladder that comes as JSON is compressed for each row anew. OFFSET 0: each is looked up by its id,
-- however small the table was once.
INSERT INTO alerts.cases ({case_names})
SELECT {own_names}, alike.*
FROM jsonb_to_recordset(%s::jsonb) AS n (
    first text, case_id text, subject_id text, finding_id text, effective_at timestamptz, detected_at timestamptz,
    opened_at timestamptz, unit_name text, unit_name_en text, town text, category text, lead_department text,
    copy_departments text[], route_clause text, last_sighting_at timestamptz, evidence jsonb, carriers text[],
    place jsonb, begins timestamptz[])
CROSS JOIN LATERAL (SELECT {shared_names}, guarded, ladder FROM alerts.cases f WHERE f.case_id = n.first OFFSET 0) alike

-- clock_names --
case_id, kind, due_at, step, calendar_version, counted_from

-- save_clocks --
-- These clocks of these cases, and no others of the kinds that we know.
WITH stopped AS (
    DELETE FROM alerts.clocks k USING unnest(%(case_ids)s::text[]) AS written (case_id)
    WHERE k.case_id = written.case_id AND k.kind = ANY(%(kinds)s)
      AND NOT EXISTS (SELECT FROM jsonb_populate_recordset(NULL::alerts.clocks, %(clocks)s::jsonb) n
                      WHERE n.case_id = k.case_id AND n.kind = k.kind)
)
INSERT INTO alerts.clocks AS k ({clock_names})
SELECT {clock_names} FROM jsonb_populate_recordset(NULL::alerts.clocks, %(clocks)s::jsonb)
ON CONFLICT (case_id, kind) DO UPDATE
   SET due_at = excluded.due_at, step = excluded.step, calendar_version = excluded.calendar_version,
       counted_from = excluded.counted_from
   WHERE (k.due_at, k.step, k.calendar_version, k.counted_from) IS DISTINCT FROM
         (excluded.due_at, excluded.step, excluded.calendar_version, excluded.counted_from)

-- insert_clocks --
-- Of cases that were not there before, and have no others.
INSERT INTO alerts.clocks ({clock_names})
SELECT {clock_names} FROM jsonb_populate_recordset(NULL::alerts.clocks, %s::jsonb)

-- receipt_names --
case_id, body_code, step, at, by, via, note

-- insert_receipts --
INSERT INTO alerts.receipts ({receipt_names})
SELECT {receipt_names} FROM jsonb_populate_recordset(NULL::alerts.receipts, %s::jsonb)
ON CONFLICT DO NOTHING

-- step_names --
case_id, step, due_at, taken_at, document, clause, recipients, nobody

-- insert_steps --
INSERT INTO alerts.steps ({step_names})
SELECT {step_names} FROM jsonb_populate_recordset(NULL::alerts.steps, %s::jsonb)
ON CONFLICT DO NOTHING

-- notice_names --
notice_id, case_id, step, purpose, body_code, contact_id, channel, address, secret_ref, lang, template, subject, body,
clause, created_at, caused_at, fire, state, attempts, next_attempt_at, lease_until, ended_at, reason, first, about,
request_id, is_copy, group_state

-- insert_notices --
INSERT INTO alerts.notices ({notice_names})
SELECT {notice_names} FROM jsonb_populate_recordset(NULL::alerts.notices, %s::jsonb)
ON CONFLICT DO NOTHING RETURNING notice_id

-- cancelled_entry --
now(), 'alerts', 'notice_cancelled', case_id, jsonb_build_object('notice', notice_id, 'reason', reason)

-- cancel_notices --
-- The first notice of a fire is not taken back.
WITH gone AS (
    UPDATE alerts.notices SET state = 'cancelled', reason = wanted.reason, ended_at = now(), lease_until = NULL,
           next_attempt_at = NULL
    FROM unnest(%s::text[], %s::text[], %s::text[]) AS wanted (case_id, purpose, reason)
    WHERE notices.case_id = wanted.case_id AND notices.purpose = wanted.purpose AND notices.state = 'pending'
      AND NOT notices.first
    RETURNING notices.notice_id, notices.case_id, notices.reason
)
INSERT INTO alerts.audit_pending (at, actor, action, case_id, detail) SELECT {cancelled_entry} FROM gone

-- cancel_signed --
-- What a body signed for, and no notice to anybody else.
WITH gone AS (
    UPDATE alerts.notices SET state = 'cancelled', reason = 'acknowledged', ended_at = now(), lease_until = NULL,
           next_attempt_at = NULL
    FROM unnest(%s::text[], %s::text[]) AS wanted (case_id, body_code)
    WHERE notices.case_id = wanted.case_id AND notices.body_code = wanted.body_code AND notices.purpose = 'notice'
      AND notices.state = 'pending' AND NOT notices.first
    RETURNING notices.notice_id, notices.case_id, notices.reason
)
INSERT INTO alerts.audit_pending (at, actor, action, case_id, detail) SELECT {cancelled_entry} FROM gone

-- visible_case --
SELECT * FROM alerts.cases
WHERE case_id = %(case_id)s AND (%(body_code)s::text IS NULL OR lead_department = %(body_code)s
                                 OR town = %(body_code)s OR %(body_code)s = ANY(copy_departments))

-- clocks_of_case --
SELECT kind, due_at, step, calendar_version, counted_from FROM alerts.clocks WHERE case_id = %s ORDER BY kind

-- receipts_of_case --
SELECT body_code, step, at, by, via, note FROM alerts.receipts WHERE case_id = %s ORDER BY at, body_code

-- steps_of_case --
SELECT * FROM alerts.steps WHERE case_id = %s ORDER BY taken_at, step

-- notices_of_case --
-- Addresses and secret references stay inside.
SELECT notice_id, step, purpose, body_code, contact_id, channel, lang, template, subject, clause, created_at, fire,
       state, attempts, next_attempt_at, ended_at, reason, group_state, digest_id
FROM alerts.notices WHERE case_id = %s ORDER BY created_at, notice_id

-- proofs_of_case --
-- The strongest of each notice, the first of them.
SELECT DISTINCT ON (notice_id) notice_id, proof, at, source FROM alerts.delivery_proofs
WHERE case_id = %s ORDER BY notice_id, array_position(%s::text[], proof) DESC, at

-- work_of_case --
SELECT o.account, o.since, o.until,
       (SELECT s.until FROM alerts.shelved s JOIN alerts.cases c USING (case_id)
        WHERE s.case_id = %(case_id)s AND s.until > %(now)s AND s.since >= c.detected_at) AS shelved_until,
       (SELECT count(*) FROM alerts.comments m WHERE m.case_id = %(case_id)s) AS comments,
       (SELECT count(*) FROM alerts.verifications v WHERE v.case_id = %(case_id)s) AS verifications
FROM (VALUES (1)) AS one (row) LEFT JOIN alerts.owners o ON o.case_id = %(case_id)s AND o.until > %(now)s

-- owned_by --
SELECT o.case_id FROM alerts.owners o JOIN alerts.cases c USING (case_id)
WHERE o.account = %s AND o.until > %s AND c.state = 'open' ORDER BY o.case_id FOR UPDATE OF o

-- put_owners --
INSERT INTO alerts.owners (case_id, account, since, until)
SELECT case_id, account, since, until FROM jsonb_populate_recordset(NULL::alerts.owners, %s::jsonb)
ON CONFLICT (case_id) DO UPDATE SET account = excluded.account, since = excluded.since, until = excluded.until

-- release --
DELETE FROM alerts.owners WHERE case_id = ANY(%s)

-- put_shelved --
INSERT INTO alerts.shelved (case_id, account, since, until, note)
SELECT case_id, account, since, until, note FROM jsonb_populate_recordset(NULL::alerts.shelved, %s::jsonb)
ON CONFLICT (case_id) DO UPDATE
   SET account = excluded.account, since = excluded.since, until = excluded.until, note = excluded.note

-- unshelve --
DELETE FROM alerts.shelved WHERE case_id = ANY(%s)

-- alarm_facts --
SELECT facts FROM alerts.alarm_facts WHERE case_id = %s

-- insert_comments --
INSERT INTO alerts.comments (case_id, number, at, by, body_code, text)
SELECT case_id, number, at, by, body_code, text FROM jsonb_populate_recordset(NULL::alerts.comments, %s::jsonb)

-- insert_verifications --
INSERT INTO alerts.verifications (case_id, number, at, by, finding, note, cause)
SELECT case_id, number, at, by, finding, note, cause FROM jsonb_populate_recordset(NULL::alerts.verifications, %s::jsonb)

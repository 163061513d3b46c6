-- The audit chain, what waits to be sealed into it, and what the escalation auditor counts.

-- audit_names --
at, actor, action, case_id, detail

-- insert_pending --
INSERT INTO alerts.audit_pending ({audit_names})
SELECT {audit_names} FROM jsonb_populate_recordset(NULL::alerts.audit_pending, %s::jsonb)

-- insert_cancelled --
INSERT INTO alerts.audit_pending (at, actor, action, case_id, detail) VALUES (%s, 'alerts', 'notice_cancelled', %s, %s)

-- insert_reported --
INSERT INTO alerts.audit_pending (at, actor, action, case_id, detail) VALUES (%s, 'alerts', %s, %s, %s)

-- pending --
SELECT id, at, actor, action, case_id, detail FROM alerts.audit_pending ORDER BY id LIMIT %s

-- last_link --
SELECT seq, hash FROM alerts.audit ORDER BY seq DESC LIMIT 1

-- seal_pending --
-- All of a turn in one statement, and nothing is sent back that lies here already: an entry's place and hash are new,
-- the rest moves. The hash before each is that of the entry before it.
WITH sealed AS (
    DELETE FROM alerts.audit_pending WHERE id = ANY(%(ids)s::bigint[])
    RETURNING id, at, actor, action, case_id, detail
)
INSERT INTO alerts.audit (seq, at, actor, action, case_id, detail, prev_hash, hash)
SELECT %(last_seq)s::bigint + link.place, s.at, s.actor, s.action, s.case_id, s.detail,
       coalesce(lag(link.hash) OVER (ORDER BY link.place), %(last_hash)s), link.hash
FROM unnest(%(ids)s::bigint[], %(hashes)s::text[]) WITH ORDINALITY AS link (id, hash, place) JOIN sealed s USING (id)

-- links --
SELECT seq, at, actor, action, case_id, detail, prev_hash, hash FROM alerts.audit
WHERE seq > %s ORDER BY seq LIMIT %s

-- off_duty_of_case --
-- Whom each step of a case left out because others of the same recipient were on duty, in the chain or on its way.
SELECT detail->>'step' AS step, detail->'off_duty' AS off_duty FROM (
    SELECT at, action, detail FROM alerts.audit WHERE case_id = %(case_id)s
    UNION ALL
    SELECT at, action, detail FROM alerts.audit_pending WHERE case_id = %(case_id)s
) AS entry WHERE action = 'step_taken' AND jsonb_exists(detail, 'off_duty') ORDER BY at

-- open_cases_count --
SELECT kind, lead_department, count(*) FROM alerts.cases WHERE state = 'open' GROUP BY 1, 2

-- alarm_facts_count --
-- Of what is open, and of the newest that came back before anybody took it. Whatever else is over is not counted.
SELECT facts, count(*) FROM alerts.alarm_facts WHERE state = 'open' GROUP BY 1
UNION ALL
SELECT facts, count(*) FROM (
    SELECT facts FROM alerts.alarm_facts WHERE state = 'closed' AND acknowledged_at IS NULL
    ORDER BY closed_at DESC NULLS LAST, case_id LIMIT %s) AS newest
GROUP BY 1

-- waiting_notices_count --
SELECT channel, coalesce(reason, 'none'), count(*) FROM alerts.notices
WHERE state IN ('pending', 'sending') GROUP BY 1, 2

-- violations --
-- Nobody answers for a unit of which neither a department nor a street is known: the centre alone hears of it.
-- Without a clock only a case may be whose ladder has ended, or whose further steps wait for an event, are for what is
-- not overdue, or are not taken any more. Whatever stands behind the close of a period that a body waits for waits too.
SELECT count(*) FILTER (WHERE k.due_at IS NULL AND EXISTS (
           SELECT FROM jsonb_array_elements(c.ladder) WITH ORDINALITY AS later (step, place)
           WHERE later.place > coalesce((
                     SELECT taken.place FROM jsonb_array_elements(c.ladder) WITH ORDINALITY AS taken (step, place)
                     WHERE taken.step ->> 'code' = c.step), 0)
             AND later.step #> '{{trigger,event}}' IS NULL
             AND NOT (c.subject_kind = 'body' AND EXISTS (
                     SELECT FROM jsonb_array_elements(c.ladder) WITH ORDINALITY AS waits (step, place)
                     WHERE waits.place <= later.place
                       AND waits.place > coalesce((
                           SELECT taken.place FROM jsonb_array_elements(c.ladder) WITH ORDINALITY AS taken (step, place)
                           WHERE taken.step ->> 'code' = c.step), 0)
                       AND (waits.step #> '{{trigger,period_close}}' IS NOT NULL
                            OR waits.step #> '{{trigger,condition}}' IS NOT NULL)))
             AND (later.step #>> '{{trigger,overdue,clock}}' IS NULL OR EXISTS (
                     SELECT FROM alerts.clocks w
                     WHERE w.case_id = c.case_id AND w.kind = later.step #>> '{{trigger,overdue,clock}}')
                  OR later.step #>> '{{trigger,overdue,clock}}' = 'listing' AND c.listing_due_at IS NOT NULL)
             AND (c.cured_at IS NULL OR later.step #>> '{{trigger,overdue,clock}}' = 'listing')
             AND NOT (coalesce(later.step -> 'exit' ? 'replied', false) AND NOT EXISTS (
                     SELECT FROM alerts.clocks w WHERE w.case_id = c.case_id AND w.kind = 'reply'))
             AND (c.acknowledged_at IS NULL OR NOT coalesce(later.step -> 'exit' ? 'acknowledged', false)))),
       count(*) FILTER (WHERE k.due_at < %(overdue)s OR c.quiet_until < %(overdue)s),
       min(k.due_at) FILTER (WHERE k.due_at <= %(now)s),
       count(*) FILTER (WHERE c.subject_kind = 'unit' AND c.subject_id NOT LIKE '?%%' AND c.lead_department = '' AND c.town = '')
FROM alerts.cases c LEFT JOIN alerts.clocks k ON k.case_id = c.case_id AND k.kind = 'step' WHERE c.state = 'open'

-- stranded --
-- Notices that should have left: nobody has decided how, or the mail that they were to leave in has ended.
SELECT count(*) FROM alerts.notices n
WHERE n.state IN ('pending', 'sending')
  AND (n.group_state = 'waits' AND n.next_attempt_at < %s
       OR n.group_state = 'digest'
          AND (SELECT d.state FROM alerts.digests d WHERE d.digest_id = n.digest_id) NOT IN ('pending', 'sending'))

-- pending_count --
SELECT count(*) FROM alerts.audit_pending

-- forget_seen --
DELETE FROM alerts.seen WHERE seen_at < %s

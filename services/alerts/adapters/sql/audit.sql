-- The audit chain, what waits to be sealed into it, and what the escalation auditor counts.

-- audit_names --
at, actor, action, case_id, detail

-- insert_pending --
INSERT INTO alerts.audit_pending ({audit_names})
SELECT {audit_names} FROM jsonb_populate_recordset(NULL::alerts.audit_pending, %s::jsonb)

-- insert_cancelled --
INSERT INTO alerts.audit_pending (at, actor, action, case_id, detail) VALUES (%s, 'alerts', 'notice_cancelled', %s, %s)

-- take_pending --
DELETE FROM alerts.audit_pending WHERE id IN (SELECT id FROM alerts.audit_pending ORDER BY id LIMIT %s)
RETURNING id, at, actor, action, case_id, detail

-- last_link --
SELECT seq, hash FROM alerts.audit ORDER BY seq DESC LIMIT 1

-- insert_link --
INSERT INTO alerts.audit (seq, at, actor, action, case_id, detail, prev_hash, hash)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s)

-- links --
SELECT seq, at, actor, action, case_id, detail, prev_hash, hash FROM alerts.audit
WHERE seq > %s ORDER BY seq LIMIT %s

-- open_cases_count --
SELECT kind, lead_department, count(*) FROM alerts.cases WHERE state = 'open' GROUP BY 1, 2

-- waiting_notices_count --
SELECT channel, coalesce(reason, 'none'), count(*) FROM alerts.notices
WHERE state IN ('pending', 'sending') GROUP BY 1, 2

-- violations --
SELECT count(*) FILTER (WHERE next_step_at IS NULL AND step IS DISTINCT FROM ladder -> -1 ->> 'code'),
       count(*) FILTER (WHERE next_step_at < %s),
       min(next_step_at) FILTER (WHERE next_step_at <= %s)
FROM alerts.cases WHERE state = 'open'

-- pending_count --
SELECT count(*) FROM alerts.audit_pending

-- forget_seen --
DELETE FROM alerts.seen WHERE seen_at < %s

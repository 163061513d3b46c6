-- Notices on their way out: due, last question, lease, record.

-- notices_due --
SELECT notice_id, channel, address, attempts > 0 FROM alerts.notices
WHERE state IN ('pending', 'sending') AND fire = %s AND next_attempt_at <= %s
  AND address <> ALL(%s) AND channel <> ALL(%s) AND (attempts = 0 OR channel <> ALL(%s)) AND coalesce(group_state, 'alone') = 'alone'
ORDER BY next_attempt_at LIMIT %s

-- digests_due --
SELECT digest_id, channel, address FROM alerts.digests
WHERE state IN ('pending', 'sending') AND next_attempt_at <= %s AND address <> ALL(%s) AND channel <> ALL(%s)
ORDER BY next_attempt_at LIMIT %s

-- claim_notices --
-- Rows that somebody else holds just now are left for the next turn.
SELECT n.purpose, n.created_at, n.caused_at, n.fire, n.attempts, n.contact_id, n.body_code, n.channel,
       n.address, n.secret_ref, n.lang, n.subject, n.body, n.notice_id, n.first, n.about, n.template,
       n.step AS notice_step, n.clause AS notice_clause, n.request_id, n.document_number, n.document_id, n.html, n.is_copy,
       EXISTS (SELECT FROM alerts.provider_messages m WHERE m.notice_id = n.notice_id) AS repeated,
       {whole_case}
FROM alerts.notices n JOIN alerts.cases c USING (case_id)
WHERE n.notice_id = ANY(%s) AND n.state IN ('pending', 'sending') AND n.next_attempt_at <= %s
  AND coalesce(n.group_state, 'alone') = 'alone'
FOR NO KEY UPDATE OF n SKIP LOCKED FOR SHARE OF c SKIP LOCKED

-- quota_alone --
SELECT pg_advisory_xact_lock(%s)

-- quota_forget --
DELETE FROM alerts.quota_spent WHERE at <= %s

-- quota_spent --
SELECT channel, address, count(*) FROM alerts.quota_spent WHERE channel = ANY(%s) GROUP BY 1, 2

-- spend_quota --
INSERT INTO alerts.quota_spent (channel, address, at) VALUES (%s, %s, %s)

-- lease --
UPDATE alerts.notices SET state = 'sending', attempts = attempts + 1, lease_until = %(until)s,
       next_attempt_at = %(until)s
WHERE notice_id = ANY(%(ids)s)

-- retell --
UPDATE alerts.notices SET subject = %s, body = %s, template = %s WHERE notice_id = %s

-- wait --
UPDATE alerts.notices SET state = 'pending', lease_until = NULL, next_attempt_at = %s, reason = %s WHERE notice_id = %s

-- cancel --
UPDATE alerts.notices SET state = 'cancelled', reason = %s, ended_at = %s, lease_until = NULL, next_attempt_at = NULL
WHERE notice_id = %s

-- record --
WITH done AS (
    UPDATE alerts.notices SET state = %(state)s, reason = %(reason)s, detail = %(detail)s, ended_at = %(ended)s,
           next_attempt_at = %(next)s, lease_until = NULL
    WHERE notice_id = %(id)s AND state IN ('pending', 'sending') RETURNING case_id
)
INSERT INTO alerts.audit_pending (at, actor, action, case_id, detail)
SELECT %(now)s, 'alerts', %(action)s, case_id, %(facts)s FROM done WHERE %(ended)s::timestamptz IS NOT NULL

-- insert_provider_message --
-- A provider that names two messages alike is believed for the first.
INSERT INTO alerts.provider_messages (channel, message_id, notice_id, sent_at, ask_at) VALUES (%s, %s, %s, %s, %s)
ON CONFLICT DO NOTHING

-- known_notices --
SELECT notice_id FROM alerts.notices WHERE notice_id = ANY(%s)

-- unpublished --
SELECT n.*, c.subject_kind, c.subject_id, c.pack_id, c.pack_version
FROM alerts.notices n JOIN alerts.cases c USING (case_id)
WHERE NOT n.published AND n.state IN ('accepted', 'dead', 'cancelled') ORDER BY n.notice_id LIMIT %s

-- mark_published --
UPDATE alerts.notices SET published = true WHERE notice_id = ANY(%s)

-- Notices that come together in one mail: who waits, by which clocks, and what is decided.

-- to_group --
SELECT n.notice_id, n.contact_id, n.body_code, n.channel, n.address, n.secret_ref, n.lang, n.next_attempt_at, c.district
FROM alerts.notices n JOIN alerts.cases c USING (case_id)
WHERE n.group_state = 'waits' AND n.state = 'pending' AND n.next_attempt_at <= %s
ORDER BY n.next_attempt_at LIMIT %s FOR NO KEY UPDATE OF n SKIP LOCKED

-- group_clocks --
SELECT contact_id, channel, address, wait_until, quiet_until
FROM alerts.group_clocks JOIN unnest(%s::text[], %s::text[], %s::text[]) AS wanted (contact_id, channel, address)
  USING (contact_id, channel, address)

-- save_group_clocks --
INSERT INTO alerts.group_clocks (contact_id, channel, address, wait_until, quiet_until)
SELECT contact_id, channel, address, wait_until, quiet_until
FROM jsonb_populate_recordset(NULL::alerts.group_clocks, %s::jsonb)
ON CONFLICT (contact_id, channel, address) DO UPDATE
   SET wait_until = excluded.wait_until, quiet_until = excluded.quiet_until

-- wait_for_group --
UPDATE alerts.notices n SET next_attempt_at = w.until, reason = 'grouped'
FROM unnest(%s::text[], %s::timestamptz[]) AS w (notice_id, until) WHERE n.notice_id = w.notice_id

-- leave_alone --
UPDATE alerts.notices SET group_state = 'alone' WHERE notice_id = ANY(%s)

-- insert_digests --
INSERT INTO alerts.digests (digest_id, body_code, contact_id, channel, address, lang, named, members, created_at, state,
                            next_attempt_at)
SELECT digest_id, body_code, contact_id, channel, address, lang, named, members, created_at, 'pending', created_at
FROM jsonb_populate_recordset(NULL::alerts.digests, %s::jsonb)

-- join_digest --
-- From here on they leave with it alone: none is due by itself.
UPDATE alerts.notices n SET group_state = 'digest', digest_id = w.digest_id, next_attempt_at = NULL, reason = NULL
FROM unnest(%s::text[], %s::text[]) AS w (notice_id, digest_id) WHERE n.notice_id = w.notice_id

-- claim_digests --
SELECT digest_id, body_code, contact_id, channel, address, lang, named, attempts FROM alerts.digests
WHERE digest_id = ANY(%s) AND state IN ('pending', 'sending') AND next_attempt_at <= %s
FOR NO KEY UPDATE SKIP LOCKED

-- digest_members --
-- Whose case somebody works on just now is left out, and comes in the next mail. Their own texts are not read.
SELECT n.purpose, n.created_at, n.caused_at, n.fire, n.attempts, n.contact_id, n.body_code, n.channel,
       n.address, n.secret_ref, n.lang, '' AS subject, '' AS body, n.notice_id, n.first, n.about, n.template,
       n.step AS notice_step, n.clause AS notice_clause, n.request_id, n.document_number, n.document_id, n.is_copy,
       '' AS html, n.digest_id,
       {whole_case}
FROM alerts.notices n JOIN alerts.cases c USING (case_id)
WHERE n.digest_id = ANY(%s) AND n.state IN ('pending', 'sending')
ORDER BY n.case_id, n.notice_id
FOR NO KEY UPDATE OF n SKIP LOCKED FOR SHARE OF c SKIP LOCKED

-- send_digest --
UPDATE alerts.digests SET state = 'sending', attempts = attempts + 1, next_attempt_at = %(until)s, subject = %(subject)s,
       body = %(body)s
WHERE digest_id = %(digest_id)s

-- send_members --
UPDATE alerts.notices SET state = 'sending', attempts = attempts + 1 WHERE notice_id = ANY(%s)

-- part_from_digest --
-- They are not sent with it: each waits for another mail, or goes alone.
UPDATE alerts.notices SET state = 'pending', group_state = %s, digest_id = NULL, next_attempt_at = %s, reason = %s
WHERE notice_id = ANY(%s) AND state IN ('pending', 'sending')

-- cancel_digest --
-- Unless somebody works on one of its members just now: then the next turn looks again.
UPDATE alerts.digests d SET state = 'cancelled', ended_at = %s, next_attempt_at = NULL
WHERE d.digest_id = %s
  AND NOT EXISTS (SELECT FROM alerts.notices n WHERE n.digest_id = d.digest_id AND n.state IN ('pending', 'sending'))

-- record_digest --
-- Its members end with it; what was left out of it waits for another mail.
WITH done AS (
    UPDATE alerts.digests SET state = %(state)s, reason = %(reason)s, detail = %(detail)s, ended_at = %(ended)s,
           next_attempt_at = %(next)s
    WHERE digest_id = %(id)s AND state IN ('pending', 'sending') RETURNING digest_id
), told AS (
    UPDATE alerts.notices n SET state = %(state)s, reason = %(reason)s, detail = %(detail)s, ended_at = %(ended)s
    FROM done WHERE n.digest_id = done.digest_id AND n.notice_id = ANY(%(members)s) AND n.state IN ('pending', 'sending')
    RETURNING n.case_id, n.notice_id, n.contact_id, n.channel, n.attempts
), parted AS (
    UPDATE alerts.notices n SET state = 'pending', group_state = 'waits', digest_id = NULL, next_attempt_at = %(now)s
    FROM done WHERE n.digest_id = done.digest_id AND n.notice_id <> ALL(%(members)s) AND n.state IN ('pending', 'sending')
      AND %(ended)s::timestamptz IS NOT NULL
)
INSERT INTO alerts.audit_pending (at, actor, action, case_id, detail)
SELECT %(now)s, 'alerts', %(action)s, case_id,
       jsonb_build_object('notice', notice_id, 'contact', contact_id, 'channel', channel, 'attempts', attempts,
                          'reason', %(reason)s::text, 'digest', %(id)s::text)
FROM told WHERE %(ended)s::timestamptz IS NOT NULL

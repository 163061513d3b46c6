-- What providers of text messages and calls report of the messages that they took.

-- reported_message --
SELECT notice_id, sent_at FROM alerts.provider_messages WHERE channel = %s AND message_id = %s

-- reported_case --
-- Locked before its notice, as by whoever takes or closes it: no click must lose against a report.
SELECT FROM alerts.cases WHERE case_id = (SELECT case_id FROM alerts.notices WHERE notice_id = %s) FOR SHARE

-- reported_notice --
SELECT n.purpose, n.created_at, n.caused_at, n.fire, n.attempts, n.contact_id, n.body_code, n.channel,
       n.address, n.secret_ref, n.lang, n.subject, n.body, n.notice_id, n.first, n.about, n.template,
       n.step AS notice_step, n.clause AS notice_clause, n.request_id, n.document_number, n.document_id, n.html, n.is_copy,
       n.state AS notice_state,
       {whole_case}
FROM alerts.notices n JOIN alerts.cases c USING (case_id)
WHERE n.notice_id = %s FOR NO KEY UPDATE OF n

-- reported_digest --
SELECT address FROM alerts.digests WHERE digest_id = %s

-- copies_of_notice --
-- How many were sent, which was the last, and whether a key was pressed in one of these calls.
SELECT count(DISTINCT m.message_id) AS copies, (array_agg(m.message_id ORDER BY m.sent_at DESC, m.message_id))[1] AS last,
       coalesce(bool_or(r.proof = 'acknowledged'), false) AS acknowledged
FROM alerts.provider_messages m LEFT JOIN alerts.delivery_reports r USING (channel, message_id) WHERE m.notice_id = %s

-- insert_delivery_report --
INSERT INTO alerts.delivery_reports (channel, message_id, proof, code, at, recorded_at) VALUES (%s, %s, %s, %s, %s, %s)
ON CONFLICT DO NOTHING

-- ask_no_more --
UPDATE alerts.provider_messages SET ask_at = NULL WHERE channel = %s AND message_id = %s AND ask_at IS NOT NULL

-- undelivered --
UPDATE alerts.notices SET state = %(state)s, reason = %(reason)s, detail = %(detail)s, next_attempt_at = %(next)s,
       ended_at = %(ended)s
WHERE notice_id = %(id)s

-- messages_to_ask --
-- What is older than a provider is ever asked for stays unasked: where nobody was asked so far it would come before all else.
SELECT m.message_id, m.sent_at, coalesce(n.address, d.address) AS address
FROM alerts.provider_messages m LEFT JOIN alerts.notices n USING (notice_id) LEFT JOIN alerts.digests d ON d.digest_id = m.notice_id
WHERE m.channel = %(channel)s AND m.ask_at <= %(now)s AND m.ask_at > %(since)s AND m.sent_at > %(since)s ORDER BY m.ask_at LIMIT %(limit)s FOR UPDATE OF m SKIP LOCKED

-- ask_later --
UPDATE alerts.provider_messages SET ask_at = %s WHERE channel = %s AND message_id = %s

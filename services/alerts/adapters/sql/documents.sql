-- What documents is asked for, and the notices that wait for it.

-- insert_requests --
-- A step that was taken before has asked before.
INSERT INTO alerts.requests (request_id, case_id, key, event, created_at)
SELECT request_id, case_id, key, event, created_at FROM jsonb_populate_recordset(NULL::alerts.requests, %s::jsonb)
ON CONFLICT DO NOTHING

-- withdraw_requests --
-- Nobody waits for it any more: the case was closed or acknowledged before anything had left.
UPDATE alerts.requests r SET state = 'withdrawn'
WHERE r.state = 'waiting'
  AND NOT EXISTS (SELECT FROM alerts.notices n WHERE n.request_id = r.request_id AND n.state <> 'cancelled')

-- unpublished_requests --
SELECT request_id, key, event FROM alerts.requests WHERE state = 'waiting' ORDER BY created_at, request_id LIMIT %s

-- mark_requests_published --
-- The document may be here already when a crash has kept the mark from being made.
UPDATE alerts.requests SET state = 'published' WHERE request_id = ANY(%s) AND state = 'waiting'

-- awaiting --
-- Only what was never tried: a notice that may have arrived with the short text keeps it.
SELECT notice_id, case_id, request_id, channel, lang, body, is_copy FROM alerts.notices
WHERE request_id = ANY(%s) AND state = 'pending' AND attempts = 0 AND document_number IS NULL
ORDER BY notice_id FOR NO KEY UPDATE

-- steps_taken --
-- Who was told before, and by which document: its number stands in the notices that it went out in.
SELECT s.case_id, s.taken_at, s.recipients, n.number
FROM alerts.steps s LEFT JOIN LATERAL (
    SELECT max(document_number) AS number FROM alerts.notices n WHERE n.case_id = s.case_id AND n.step = s.step
) n ON true
WHERE s.case_id = ANY(%s) AND s.recipients <> '{}' ORDER BY s.case_id, s.taken_at, s.step

-- put_file --
INSERT INTO alerts.document_files (request_id, language, kind, content)
SELECT %(request_id)s, %(language)s, %(kind)s, %(content)s
WHERE EXISTS (SELECT FROM alerts.requests WHERE request_id = %(request_id)s)
ON CONFLICT (request_id, language, kind) DO UPDATE SET content = excluded.content

-- files_of --
SELECT request_id, language, kind, content FROM alerts.document_files WHERE request_id = ANY(%s)
ORDER BY request_id, kind DESC, language

-- forget_files --
-- They are sent; documents keeps them. Here they would be the larger part of the database.
DELETE FROM alerts.document_files f
WHERE NOT EXISTS (SELECT FROM alerts.notices n WHERE n.request_id = f.request_id AND n.state IN ('pending', 'sending'))

-- attach --
UPDATE alerts.notices n SET subject = d.subject, body = d.body, html = d.html, template = d.template,
       document_number = d.document_number, next_attempt_at = n.created_at
FROM jsonb_populate_recordset(NULL::alerts.notices, %s::jsonb) d WHERE n.notice_id = d.notice_id

-- requests_issued --
UPDATE alerts.requests r SET state = 'issued', document_id = d.document_id, number = d.number, issued_at = d.issued_at
FROM jsonb_populate_recordset(NULL::alerts.requests, %s::jsonb) d WHERE r.request_id = d.request_id

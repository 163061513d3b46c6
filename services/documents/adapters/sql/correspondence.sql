-- What becomes of a document after its issue: recipients, receipts, replies and appeals, and what is told of them.

-- correspondence --
-- The document's row is the lock of all that belongs to it.
SELECT document_id, request_id, case_id, unit_id, state FROM documents.documents WHERE document_id = %s FOR UPDATE

-- recipients --
SELECT contact_id, party, is_addressee, revoked_at FROM documents.recipients
WHERE document_id = %s ORDER BY is_addressee DESC, party, contact_id

-- receipts --
SELECT party, at, name, by, via FROM documents.receipts WHERE document_id = %s ORDER BY at, party

-- submissions --
SELECT submission_id, kind, party, text, measures, done_by, name, by, via, at, state, decided_at, decided_by, reasons
FROM documents.submissions WHERE document_id = %s ORDER BY at, submission_id

-- attachments --
SELECT a.submission_id, a.sha256, a.name, f.media_type, a.size
FROM documents.attachments a JOIN documents.submissions s USING (submission_id) JOIN documents.files f USING (sha256)
WHERE s.document_id = %s ORDER BY a.submission_id, a.place

-- change_state --
UPDATE documents.documents SET state = %(state)s,
       closed_because = CASE WHEN %(state)s = 'closed' THEN coalesce(closed_because, %(what)s) END
WHERE document_id = %(document_id)s AND state <> %(state)s

-- insert_receipt --
INSERT INTO documents.receipts (document_id, party, at, name, by, via) VALUES (%s, %s, %s, %s, %s, %s)
ON CONFLICT DO NOTHING

-- insert_submission --
INSERT INTO documents.submissions (submission_id, document_id, kind, state, party, text, measures, done_by, name, by,
                                   via, at)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)

-- decide_submission --
UPDATE documents.submissions SET state = %s, decided_at = %s, decided_by = %s, reasons = %s
WHERE submission_id = %s AND state = 'submitted'

-- insert_file --
INSERT INTO documents.files (sha256, media_type, bytes, added_at) VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING

-- insert_attachment --
INSERT INTO documents.attachments (submission_id, place, sha256, name, size) VALUES (%s, %s, %s, %s, %s)

-- insert_change --
INSERT INTO documents.changes (change_id, document_id, key, at, event) VALUES (%s, %s, %s, %s, %s::jsonb)
ON CONFLICT DO NOTHING

-- unpublished_changes --
SELECT change_id, key, event FROM documents.changes WHERE NOT published ORDER BY at, change_id LIMIT %s

-- mark_changes_published --
UPDATE documents.changes SET published = true WHERE change_id = ANY(%s)

-- revoke_link --
UPDATE documents.recipients SET revoked_at = %s, revoked_by = %s
WHERE document_id = %s AND contact_id = %s AND revoked_at IS NULL

-- party_of_link --
SELECT r.party FROM documents.recipients r JOIN documents.documents d USING (document_id)
WHERE r.document_id = %s AND r.contact_id = %s AND r.revoked_at IS NULL AND d.state <> 'draft'

-- opened --
INSERT INTO documents.openings AS o (document_id, party, via, who, first_at, last_at)
SELECT %(document_id)s, %(party)s, %(via)s, %(who)s, %(at)s, %(at)s
WHERE EXISTS (SELECT FROM documents.recipients r WHERE r.document_id = %(document_id)s AND r.party = %(party)s)
ON CONFLICT (document_id, party, via, who) DO UPDATE SET last_at = excluded.last_at

-- mine --
-- What a party may see: what it was sent, and no draft; %(party)s null sees all.
(%(party)s::text IS NULL
 OR d.state <> 'draft' AND EXISTS (SELECT FROM documents.recipients m WHERE m.document_id = d.document_id AND m.party = %(party)s))

-- is_signed --
-- By the party that asks; for who sees all, by an addressee.
CASE WHEN %(party)s::text IS NULL THEN d.state <> 'issued'
     ELSE EXISTS (SELECT FROM documents.receipts r WHERE r.document_id = d.document_id AND r.party = %(party)s) END

-- is_addressee --
EXISTS (SELECT FROM documents.recipients m
        WHERE m.document_id = d.document_id AND m.party = %(party)s AND m.is_addressee)

-- is_undecided --
EXISTS (SELECT FROM documents.submissions s WHERE s.document_id = d.document_id AND s.state = 'submitted')

-- is_todo --
-- Of a party: to be signed, or to be answered; of who sees all: to be decided.
CASE WHEN %(party)s::text IS NULL THEN {is_undecided}
     ELSE NOT {is_signed} OR (d.state = 'received' AND d.reply_due_at IS NOT NULL AND {is_addressee}) END

-- is_overdue --
((d.state = 'issued' AND d.receipt_due_at < %(now)s)
 OR (d.state IN ('issued', 'received') AND d.reply_due_at < %(now)s))

-- inbox_counts --
SELECT count(*), count(*) FILTER (WHERE {is_todo}), count(*) FILTER (WHERE {is_overdue}),
       count(*) FILTER (WHERE {is_undecided})
FROM documents.documents d WHERE {mine}

-- inbox --
SELECT d.document_id, d.own_number, d.mark, d.year, d.serial, d.instrument, d.case_id, d.unit_id, d.state, d.issued_at,
       d.receipt_due_at, d.reply_due_at, d.closed_because, d.request #> '{data,unit,name}' AS unit_name,
       d.request #> '{data,issuer,name}' AS issuer_name, d.request #> '{data,addressee}' AS addressee,
       (SELECT jsonb_object_agg(r.language, r.title) FROM documents.renditions r
        WHERE r.document_id = d.document_id) AS titles,
       {is_signed} AS is_signed, {is_addressee} AS is_addressee, {is_todo} AS is_todo, {is_overdue} AS is_overdue,
       ARRAY(SELECT s.kind FROM documents.submissions s
             WHERE s.document_id = d.document_id AND s.state = 'submitted' ORDER BY 1) AS undecided
FROM documents.documents d
WHERE {mine} AND (%(document_id)s::text IS NULL OR d.document_id = %(document_id)s)
  AND CASE %(only)s WHEN 'todo' THEN {is_todo} WHEN 'overdue' THEN {is_overdue} WHEN 'undecided' THEN {is_undecided}
      ELSE true END
ORDER BY d.issued_at DESC, d.document_id OFFSET %(offset)s LIMIT %(limit)s

-- replies_of_case --
-- Replies with files to the documents of a case, the newest first; of a party its own.
SELECT d.document_id, d.own_number, d.mark, d.year, d.serial, s.submission_id, s.party, s.at, s.state,
       jsonb_agg(jsonb_build_object('sha256', a.sha256, 'name', a.name, 'size', a.size) ORDER BY a.place) AS files
FROM documents.documents d JOIN documents.submissions s USING (document_id)
JOIN documents.attachments a USING (submission_id)
WHERE d.case_id = %(case_id)s AND s.kind = 'reply' AND (%(party)s::text IS NULL OR s.party = %(party)s)
GROUP BY d.document_id, s.submission_id ORDER BY s.at DESC, s.submission_id LIMIT 50

-- file --
SELECT a.name, f.media_type, f.bytes
FROM documents.attachments a JOIN documents.submissions s USING (submission_id) JOIN documents.files f USING (sha256)
WHERE s.document_id = %s AND a.sha256 = %s AND (%s::text IS NULL OR s.party = %s) LIMIT 1

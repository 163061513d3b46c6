-- Documents and their numbers.

-- issued --
SELECT document_id FROM documents.documents WHERE document_id = ANY(%s)

-- next_number --
-- The row stays locked until the transaction ends: whoever comes next sees the number taken, or given back.
INSERT INTO documents.series (issuer, mark, year, last) VALUES (%s, %s, %s, 1)
ON CONFLICT (issuer, mark, year) DO UPDATE SET last = series.last + 1
RETURNING last

-- told --
SELECT issuer, mark, year, serial, issued_at FROM documents.numbers_told WHERE document_id = %s

-- newest_numbered --
SELECT coalesce(max(issued_at), to_timestamp(0)) FROM documents.documents WHERE serial IS NOT NULL

-- take_told --
-- A document that is there has its number already.
INSERT INTO documents.numbers_told (document_id, issuer, mark, year, serial, issued_at)
SELECT t.* FROM unnest(%(ids)s::text[], %(issuers)s::text[], %(marks)s::text[], %(years)s::integer[],
                       %(serials)s::integer[], %(times)s::timestamptz[])
       AS t (document_id, issuer, mark, year, serial, issued_at)
WHERE NOT EXISTS (SELECT FROM documents.documents d WHERE d.document_id = t.document_id)
ON CONFLICT DO NOTHING

-- pass_told --
INSERT INTO documents.series (issuer, mark, year, last)
SELECT issuer, mark, year, max(serial) FROM documents.numbers_told GROUP BY issuer, mark, year
ORDER BY issuer, mark, year
ON CONFLICT (issuer, mark, year) DO UPDATE SET last = greatest(series.last, excluded.last)

-- insert_document --
INSERT INTO documents.documents (document_id, source, request_id, case_id, instrument, unit_id, issuer, mark, year,
                                 serial, template, state, requested_at, issued_at, request, files_due, receipt_due_at,
                                 reply_due_at)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s::jsonb, %s, %s, %s)

-- insert_recipients --
INSERT INTO documents.recipients (document_id, contact_id, party, is_addressee)
SELECT %s, * FROM unnest(%s::text[], %s::text[], %s::boolean[]) ON CONFLICT DO NOTHING

-- put_rendition --
INSERT INTO documents.renditions (document_id, language, title, text, html, covering) VALUES (%s, %s, %s, %s, %s, %s)
ON CONFLICT (document_id, language) DO UPDATE
SET title = excluded.title, text = excluded.text, html = excluded.html, covering = excluded.covering

-- put_file --
INSERT INTO documents.rendition_files (document_id, language, kind, content, sha256) VALUES (%s, %s, %s, %s, %s)
ON CONFLICT (document_id, language, kind) DO UPDATE SET content = excluded.content, sha256 = excluded.sha256

-- document --
SELECT document_id, issuer, mark, year, serial, template, issued_at, state, request, own_number
FROM documents.documents WHERE document_id = %s FOR NO KEY UPDATE

-- put_numbered --
UPDATE documents.documents SET state = %s, own_number = %s, issued_at = %s, numbered_by = %s, numbered_at = %s,
       published = false
WHERE document_id = %s

-- lacking_files --
SELECT document_id, issuer, mark, year, serial, template, issued_at, state, request, own_number
FROM documents.documents WHERE files_due ORDER BY issued_at DESC LIMIT %s

-- files_tried --
UPDATE documents.documents SET files_due = false WHERE document_id = %s

-- drop_files --
-- The files of a draft say that it is one.
DELETE FROM documents.rendition_files WHERE document_id = %s

-- unpublished --
SELECT document_id, issuer, mark, year, serial, template, issued_at, state, request, own_number
FROM documents.documents WHERE NOT published ORDER BY issued_at, document_id LIMIT %s

-- renditions --
-- Chinese first: that text is the document.
SELECT document_id, language, title, text, html, covering FROM documents.renditions
WHERE document_id = ANY(%s) ORDER BY document_id, language <> 'zh', language

-- files --
SELECT document_id, language, kind, content FROM documents.rendition_files
WHERE document_id = ANY(%s) ORDER BY document_id, kind DESC, language <> 'zh', language

-- mark_published --
UPDATE documents.documents SET published = true WHERE document_id = ANY(%s)

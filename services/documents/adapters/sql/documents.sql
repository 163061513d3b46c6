-- Documents and their numbers.

-- issued --
SELECT document_id FROM documents.documents WHERE document_id = ANY(%s)

-- next_number --
-- The row stays locked until the transaction ends: whoever comes next sees the number taken, or given back.
INSERT INTO documents.series (issuer, mark, year, last) VALUES (%s, %s, %s, 1)
ON CONFLICT (issuer, mark, year) DO UPDATE SET last = series.last + 1
RETURNING last

-- insert_document --
INSERT INTO documents.documents (document_id, source, request_id, case_id, instrument, unit_id, issuer, mark, year,
                                 serial, template, state, requested_at, issued_at, request, files_due)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s::jsonb, %s)

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

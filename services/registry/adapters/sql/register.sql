-- Versions of what is registered, imports, and what is not published yet.

-- register_lock --
SELECT pg_advisory_xact_lock(%s)

-- last_recorded --
SELECT max(recorded_at) FROM registry.versions

-- published_days --
-- Tables of compliance: a day of a district is published once, and is final from `kept_day` back (decision 75).
SELECT (SELECT max(period_to AT TIME ZONE 'Asia/Shanghai')::date FROM compliance.figures
        WHERE slice_kind = 'district' AND slice_id = %s AND period_kind = 'day'),
       (SELECT kept_day FROM compliance.log_position)

-- histories --
SELECT id, body::text FROM registry.versions WHERE kind = %(kind)s ORDER BY id, valid_from, recorded_at

-- histories_of --
SELECT id, body::text FROM registry.versions WHERE kind = %(kind)s AND id = ANY(%(ids)s)
ORDER BY id, valid_from, recorded_at

-- current --
SELECT DISTINCT ON (id) body::text
FROM registry.versions
WHERE kind = %s AND valid_from <= %s
ORDER BY id, valid_from DESC, recorded_at DESC

-- ids --
SELECT DISTINCT id FROM registry.versions WHERE kind = %s

-- versions_copy --
COPY registry.versions (kind, id, valid_from, recorded_at, body, import_id) FROM STDIN

-- unpublished_mark --
INSERT INTO registry.unpublished (kind, id) SELECT %s, unnest(%s::text[]) ON CONFLICT DO NOTHING

-- unpublished_mark_all --
INSERT INTO registry.unpublished (kind, id) SELECT DISTINCT kind, id FROM registry.versions ON CONFLICT DO NOTHING

-- import_note --
INSERT INTO registry.imports (file_name, sha256, kind, rows, changed, imported_at, imported_by)
VALUES (%s, %s, %s, %s, %s, %s, %s)
RETURNING import_id

-- unpublished --
SELECT id FROM registry.unpublished WHERE kind = %s ORDER BY id LIMIT %s

-- published --
DELETE FROM registry.unpublished u USING unnest(%s::text[], %s::text[]) AS done (kind, id)
WHERE u.kind = done.kind AND u.id = done.id

-- The register as it is kept: what holds today of each entity, all its versions, and proposals. `{slice}`: as in
-- units.sql, over what the register itself says of units: one that rules has not seen yet is there too.

-- register_holding --
-- Of the versions that have begun the latest; of what only begins later, what it begins with.
v.id, v.valid_from <= today.day DESC, CASE WHEN v.valid_from <= today.day THEN v.valid_from END DESC NULLS LAST,
v.valid_from, v.recorded_at DESC

-- register_sliced --
today AS (SELECT (now() AT TIME ZONE 'Asia/Shanghai')::date AS day),
of_units AS (
    SELECT DISTINCT ON (v.id) v.id AS unit_id, v.body->>'town' AS town, v.body->>'lead_department' AS lead_department,
        ARRAY(SELECT jsonb_array_elements_text(v.body->'copy_departments')) AS copy_departments
    FROM registry.versions v, today WHERE v.kind = 'unit' ORDER BY {register_holding}
), mine AS (
    SELECT unit_id FROM of_units WHERE {slice}
), held AS (
    SELECT DISTINCT ON (v.id) v.id, v.valid_from, v.recorded_at, v.body
    FROM registry.versions v, today WHERE v.kind = %(kind)s ORDER BY {register_holding}
), seen AS (
    SELECT * FROM held
    WHERE %(department)s::text IS NULL OR CASE %(kind)s::text
        WHEN 'unit' THEN id IN (SELECT unit_id FROM mine)
        WHEN 'gateway' THEN body->>'unit_id' IN (SELECT unit_id FROM mine)
        WHEN 'contact' THEN body->>'body_code' = %(department)s OR body->>'body_code' IN (SELECT unit_id FROM mine)
        WHEN 'department' THEN id = %(department)s
        ELSE false END
)

-- register_page --
WITH {register_sliced}
SELECT id, valid_from, recorded_at, body, count(*) OVER () FROM seen
WHERE %(text)s::text = '' OR strpos(lower(concat_ws(' ', id, body->>'name', body->>'name_en', body->>'address',
    body->>'unit_id', body->>'body_code', body->'department'->>'name_zh', body->'department'->>'name_en')), %(text)s::text) > 0
ORDER BY id OFFSET %(offset)s LIMIT %(limit)s

-- register_is_seen --
WITH {register_sliced}
SELECT EXISTS (SELECT FROM seen WHERE id = %(id)s)

-- register_versions --
-- A department sees the versions that were of its units, not those from when a gateway or a contact was another body's,
-- and not who imported them.
WITH {register_sliced}
SELECT v.valid_from, v.recorded_at, v.body, CASE WHEN %(department)s::text IS NULL THEN i.imported_by END,
       CASE WHEN %(department)s::text IS NULL THEN i.file_name END
FROM registry.versions v LEFT JOIN registry.imports i USING (import_id)
WHERE v.kind = %(kind)s AND v.id = %(id)s AND (%(department)s::text IS NULL OR CASE v.kind
    WHEN 'gateway' THEN v.body->>'unit_id' IN (SELECT unit_id FROM mine)
    WHEN 'contact' THEN v.body->>'body_code' = %(department)s OR v.body->>'body_code' IN (SELECT unit_id FROM mine)
    ELSE true END)
ORDER BY v.valid_from DESC, v.recorded_at DESC LIMIT %(limit)s

-- register_related --
SELECT kind, id FROM registry.in_force
WHERE (kind = 'gateway' AND body->>'unit_id' = %(id)s) OR (kind = 'contact' AND body->>'body_code' = %(id)s)
ORDER BY kind DESC, id LIMIT %(limit)s

-- register_waiting --
SELECT proposal_id FROM registry.proposals
WHERE state = 'requested' AND kind = %(kind)s AND %(id)s = ANY (entities) ORDER BY proposal_id LIMIT %(limit)s

-- register_packs --
SELECT v.id, (v.body->'pack'->>'version')::int, v.valid_from, v.recorded_at, i.imported_by
FROM registry.versions v LEFT JOIN registry.imports i USING (import_id)
WHERE v.kind = 'pack' ORDER BY v.id, v.valid_from DESC, v.recorded_at DESC LIMIT %(limit)s

-- proposals_page --
SELECT proposal_id, kind, file_name, reason, rows, entities[1:20], cardinality(entities), valid_from, requested_by,
    requested_at, approvals, approvals_needed, state, changed_at, note
FROM registry.proposals WHERE %(state)s::text IS NULL OR state = %(state)s
ORDER BY requested_at DESC, proposal_id DESC OFFSET %(offset)s LIMIT %(limit)s

-- proposals_counts --
SELECT count(*) FILTER (WHERE %(state)s::text IS NULL OR state = %(state)s),
    count(*) FILTER (WHERE state = 'requested') FROM registry.proposals

-- proposal_file_name --
SELECT file_name FROM registry.proposals WHERE proposal_id = %(id)s

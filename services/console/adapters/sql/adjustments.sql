-- The registry's adjustments as the console shows them, and what is let off right now. `{slice}`: as in units.sql.

-- adjustment_columns --
a.adjustment_id, a.unit_id, coalesce(u.name, ''), a.what, a.starts_at, a.ends_at, a.reason, a.evidence, a.counted_as,
a.system, a.address, a.trouble, a.requested_by, a.requested_at, a.approvals, a.approvals_needed, a.state, a.changed_at,
a.note

-- adjustments_page --
SELECT {adjustment_columns} FROM registry.adjustments a LEFT JOIN rules.units u USING (unit_id)
WHERE {slice} AND (%(state)s::text IS NULL OR a.state = %(state)s)
  AND (%(unit_id)s::text IS NULL OR a.unit_id = %(unit_id)s)
ORDER BY a.requested_at DESC, a.adjustment_id DESC OFFSET %(offset)s LIMIT %(limit)s

-- adjustments_counts --
SELECT count(*) FILTER (WHERE (%(state)s::text IS NULL OR a.state = %(state)s)
                          AND (%(unit_id)s::text IS NULL OR a.unit_id = %(unit_id)s)),
       count(*) FILTER (WHERE a.state = 'requested')
FROM registry.adjustments a LEFT JOIN rules.units u USING (unit_id) WHERE {slice}

-- adjustment_one --
SELECT {adjustment_columns} FROM registry.adjustments a LEFT JOIN rules.units u USING (unit_id)
WHERE {slice} AND a.adjustment_id = %(adjustment_id)s

-- adjustments_let_off --
SELECT a.unit_id, coalesce(u.name, ''), a.what, a.starts_at, a.ends_at, a.reason, a.adjustment_id, a.system, a.address,
       a.trouble
FROM registry.adjustments a LEFT JOIN rules.units u USING (unit_id)
WHERE {slice} AND a.state IN ('approved', 'ended') AND a.what <> 'correction'
  AND a.starts_at <= %(now)s AND a.ends_at > %(now)s
ORDER BY a.unit_id, a.starts_at, a.adjustment_id LIMIT %(limit)s

-- exempt_by_row --
-- Whole days of Asia/Shanghai, the last one included.
WITH held AS (
    SELECT DISTINCT ON (id) id AS unit_id, body FROM registry.versions
    WHERE kind = 'unit' AND valid_from <= (%(now)s AT TIME ZONE 'Asia/Shanghai')::date
    ORDER BY id, valid_from DESC, recorded_at DESC
), exempt AS (
    SELECT unit_id, body, (body->>'exempt_from')::date AS first, (body->>'exempt_until')::date AS last
    FROM held WHERE body->>'exempt_until' IS NOT NULL
)
SELECT unit_id, u.name, 'exemption', first::timestamp AT TIME ZONE 'Asia/Shanghai',
       (last + 1)::timestamp AT TIME ZONE 'Asia/Shanghai', coalesce(body->>'exempt_reason', ''), NULL, NULL, NULL, NULL
FROM exempt JOIN rules.units u USING (unit_id)
WHERE {slice} AND (%(now)s AT TIME ZONE 'Asia/Shanghai')::date BETWEEN first AND last
ORDER BY unit_id LIMIT %(limit)s

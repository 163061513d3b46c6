-- What people asked to be counted otherwise, and who did what about it.

-- adjustments_count --
SELECT count(*) FROM registry.adjustments WHERE adjustment_id LIKE %s

-- adjustment_columns --
adjustment_id, unit_id, what, starts_at, ends_at, reason, evidence, counted_as, system, address, trouble, requested_by,
requested_at, approvals_needed, approvals, state, changed_at, note

-- adjustment --
SELECT {adjustment_columns}
FROM registry.adjustments WHERE adjustment_id = %s

-- adjustments_listed --
SELECT {adjustment_columns}
FROM registry.adjustments
WHERE (%(state)s::text IS NULL OR state = %(state)s) AND (%(unit_id)s::text IS NULL OR unit_id = %(unit_id)s)
ORDER BY requested_at DESC, adjustment_id DESC LIMIT %(limit)s

-- adjustments_in_force --
SELECT {adjustment_columns}
FROM registry.adjustments
WHERE state IN ('approved', 'ended') AND what <> 'correction' AND starts_at <= %(at)s AND ends_at > %(at)s
ORDER BY unit_id, starts_at, adjustment_id

-- adjustment_put --
INSERT INTO registry.adjustments (
    adjustment_id, unit_id, what, starts_at, ends_at, reason, evidence, counted_as, system, address, trouble,
    requested_by, requested_at, approvals_needed, approvals, state, changed_at, note
) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (adjustment_id) DO UPDATE SET ends_at = excluded.ends_at, approvals = excluded.approvals,
    state = excluded.state, changed_at = excluded.changed_at, note = excluded.note

-- adjustment_audited --
SELECT seq, at, account, role, via, action, adjustment_id, detail, prev_hash, hash
FROM registry.adjustment_audit ORDER BY seq

-- adjustment_audit_last --
SELECT seq, at, account, role, via, action, adjustment_id, detail, prev_hash, hash
FROM registry.adjustment_audit ORDER BY seq DESC LIMIT 1

-- adjustment_audit --
INSERT INTO registry.adjustment_audit (seq, at, account, role, via, action, adjustment_id, detail, prev_hash, hash)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s::jsonb, %s, %s)

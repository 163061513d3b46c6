-- standing_figures --
SELECT metric, scope, slice_kind, slice_id, revision, figure::text FROM compliance.figures_now
WHERE period_kind = %s AND period_from = %s

-- add_figure --
INSERT INTO compliance.figures (metric, scope, slice_kind, slice_id, period_kind, period_from, period_to, revision,
    known_at, numerator, denominator, unknown, exempt, value, low, high, verdict, reason, pack_id,
    pack_version, difference, figure)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)

-- standing_findings --
SELECT finding_id, body_id, metric, scope, period_kind, figure_from, revision, is_missed FROM compliance.findings

-- save_finding --
INSERT INTO compliance.findings
    (finding_id, body_id, metric, scope, period_kind, figure_from, revision, is_missed)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (body_id, metric, scope, period_kind) DO UPDATE
SET finding_id = excluded.finding_id, figure_from = excluded.figure_from, revision = excluded.revision,
    is_missed = excluded.is_missed

-- published --
-- Only from the publication that this one was made after: of two processes one goes on.
UPDATE compliance.log_position
SET published_at = %(known_at)s, published_closed = %(closed)s,
    outages_to = CASE WHEN %(outages)s THEN %(closed)s ELSE outages_to END
WHERE published_at = %(before)s RETURNING published_at

-- add_message --
INSERT INTO compliance.outbox (topic, key, payload) VALUES (%s, %s, %s)

-- waiting --
SELECT position, topic, key, payload FROM compliance.outbox ORDER BY position LIMIT %s

-- sent --
DELETE FROM compliance.outbox WHERE position = ANY (%s)

-- figures_between --
SELECT metric, scope, slice_kind, slice_id, period_kind, period_from, period_to, revision, known_at, figure::text
FROM compliance.figures WHERE period_from >= %s AND period_to <= %s
ORDER BY known_at, period_kind, period_from, metric, scope, slice_kind, slice_id, revision

-- figure_revisions --
SELECT metric, scope, slice_kind, slice_id, period_kind, period_from, period_to, revision, known_at, figure::text
FROM compliance.figures
WHERE metric = %s AND scope = %s AND slice_kind = %s AND slice_id = %s AND period_kind = %s AND period_from = %s
ORDER BY revision

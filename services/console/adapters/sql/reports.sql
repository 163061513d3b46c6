-- What a report is made of. Counts and sums only; what a rate comes to is for services/kernel/ratio.py to say.

-- report_district --
district = %(value)s

-- report_town --
town = %(value)s

-- report_department --
lead_department = %(value)s

-- report_periods --
-- The periods that are closed, the newest first, so many of each kind.
SELECT period_kind, first, last, revision, published_at
FROM (
    SELECT period_kind, (period_from AT TIME ZONE 'Asia/Shanghai')::date AS first,
           (period_to AT TIME ZONE 'Asia/Shanghai')::date - 1 AS last, max(revision) AS revision,
           max(recorded_at) AS published_at,
           row_number() OVER (PARTITION BY period_kind ORDER BY period_from DESC) AS place
    FROM compliance.figures
    WHERE slice_kind = %(dimension)s AND slice_id = %(value)s
    GROUP BY period_kind, period_from, period_to
) AS closed
WHERE place <= %(most)s
ORDER BY period_kind, first DESC

-- report_figures --
-- Every revision of each figure of one period.
SELECT scope, metric, revision, recorded_at, numerator, denominator, unknown, exempt, verdict, reason,
       figure -> 'target' ->> 'value', difference, coalesce(figure -> 'target' ->> 'clause', figure ->> 'clause'),
       figure -> 'target' ->> 'due', pack_id, pack_version
FROM compliance.figures
WHERE slice_kind = %(dimension)s AND slice_id = %(value)s AND period_kind = %(kind)s AND period_from = %(begins)s
ORDER BY scope, metric, revision

-- report_seen_to --
-- One partition that was never proven is enough for no proof at all.
SELECT CASE WHEN count(*) = count(watermark) THEN min(watermark) END FROM rules.partitions

-- report_published_to --
-- Up to when outages are published, in microseconds since 1970; no row, or null, before anything is.
SELECT outages_to FROM compliance.log_position WHERE outages_to IS NOT NULL

-- report_outages --
-- Outages that stand, as far as they lie within the time.
SELECT one.unit_id, one.name, one.name_en, greatest(o.started_at, %(begins)s),
       least(coalesce(o.ended_at, %(until)s), %(until)s), o.attribution, o.recorded_at
FROM rules.units AS one
CROSS JOIN LATERAL (
    SELECT DISTINCT ON (started_at) * FROM compliance.outages
    WHERE unit_id = one.unit_id AND started_at < %(until)s
    ORDER BY started_at, revision DESC
) AS o
WHERE NOT o.withdrawn AND coalesce(o.ended_at, %(until)s) > %(begins)s AND {slice}
ORDER BY one.unit_id, o.started_at
LIMIT %(most)s

-- report_members --
SELECT count(*) FROM rules.units WHERE {slice}

-- report_unit_times --
-- The parts of the published figure, unit by unit, as compliance keeps them.
SELECT one.unit_id, one.name, one.name_en, one.scopes, sum((day.parts -> 1 ->> 0)::numeric),
       sum((day.parts -> 1 ->> 1)::numeric), sum((day.parts -> 1 ->> 2)::numeric), sum((day.parts -> 1 ->> 3)::numeric)
FROM rules.units AS one
JOIN compliance.unit_days AS day ON day.unit_id = one.unit_id AND day.day >= %(first)s AND day.day <= %(last)s
WHERE {slice}
GROUP BY one.unit_id

-- report_cases --
SELECT kind, count(*), count(*) FILTER (WHERE state = 'closed'), count(*) FILTER (WHERE acknowledged_at IS NOT NULL)
FROM alerts.cases
WHERE opened_at >= %(begins)s AND opened_at < %(ends)s AND {slice}
GROUP BY kind ORDER BY kind

-- report_findings --
-- The last word of a fire's verification holds.
SELECT said.finding, said.cause, count(*)
FROM alerts.cases AS one
LEFT JOIN LATERAL (
    SELECT finding, cause FROM alerts.verifications WHERE case_id = one.case_id ORDER BY number DESC LIMIT 1
) AS said ON true
WHERE one.opened_at >= %(begins)s AND one.opened_at < %(ends)s AND one.kind = 'fire' AND {slice}
GROUP BY said.finding, said.cause ORDER BY said.finding DESC NULLS LAST, count(*) DESC, said.cause

-- report_steps --
SELECT taken.step, count(*)
FROM alerts.cases AS one
JOIN alerts.steps AS taken ON taken.case_id = one.case_id
WHERE one.opened_at >= %(begins)s AND one.opened_at < %(ends)s AND {slice}
GROUP BY taken.step ORDER BY taken.step

-- report_papers --
-- Overdue as the inbox of documents has it. A draft is not issued yet.
SELECT paper.instrument, count(*), count(*) FILTER (WHERE signed.there), count(*) FILTER (WHERE handed.replies > 0),
       sum(handed.accepted)::bigint, sum(handed.returned)::bigint, sum(handed.undecided)::bigint,
       sum(handed.appeals)::bigint,
       count(*) FILTER (WHERE paper.state = 'issued' AND paper.receipt_due_at < %(now)s),
       count(*) FILTER (WHERE paper.state IN ('issued', 'received') AND paper.reply_due_at < %(now)s)
FROM documents.documents AS paper
JOIN alerts.cases AS one ON one.case_id = paper.case_id
CROSS JOIN LATERAL (
    SELECT count(*) > 0 AS there FROM documents.receipts AS receipt WHERE receipt.document_id = paper.document_id
) AS signed
CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE kind = 'reply') AS replies,
           count(*) FILTER (WHERE kind = 'reply' AND state = 'accepted') AS accepted,
           count(*) FILTER (WHERE kind = 'reply' AND state = 'returned') AS returned,
           count(*) FILTER (WHERE state = 'submitted') AS undecided,
           count(*) FILTER (WHERE kind = 'appeal') AS appeals
    FROM documents.submissions AS submission WHERE submission.document_id = paper.document_id
) AS handed
WHERE paper.issued_at >= %(begins)s AND paper.issued_at < %(ends)s AND paper.state <> 'draft' AND {slice}
GROUP BY paper.instrument ORDER BY paper.instrument

-- report_fires --
-- From when a fire was shown to when a person first did anything about it, and to when one took or verified it.
SELECT one.opened_at, touched.first, touched.acted
FROM alerts.cases AS one
CROSS JOIN LATERAL (
    SELECT min(at) AS first,
           min(at) FILTER (WHERE action IN ('acknowledged', 'acknowledged_after_end', 'verified')) AS acted
    FROM (
        SELECT at, action FROM alerts.audit WHERE case_id = one.case_id
        UNION ALL
        SELECT at, action FROM alerts.audit_pending WHERE case_id = one.case_id
    ) AS done
    WHERE action IN ('owned', 'verified', 'acknowledged', 'acknowledged_after_end')
) AS touched
WHERE one.kind = 'fire' AND one.opened_at >= %(begins)s AND one.opened_at < %(ends)s AND {slice}
LIMIT %(most)s

-- report_hours --
SELECT coalesce(sum(cases), 0)::bigint, count(*), count(*) FILTER (WHERE cases > %(flood)s), coalesce(max(cases), 0)
FROM (
    SELECT count(*) AS cases FROM alerts.cases
    WHERE opened_at >= %(begins)s AND opened_at < %(ends)s AND {slice}
    GROUP BY date_trunc('hour', opened_at)
) AS hours

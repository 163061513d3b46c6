-- Rates by day. Sums only: what they come to is for services/kernel/ratio.py to say.

-- history_subjects --
SELECT DISTINCT dimension, value FROM rules.rate_counts WHERE dimension = ANY(%(dimensions)s) AND in_scope > 0

-- history_samples --
-- What each partition last said before the day was over, however long before: a counter that does not change has no
-- new sample. A day is left out while a partition has not come to it, or has never had a sample that says who was exempt.
SELECT days.day, max(last.sampled_at), sum(last.connected)::bigint, sum(last.in_scope - last.exempt)::bigint,
       sum(last.unknown)::bigint, sum(last.exempt)::bigint
FROM unnest(%(days)s::date[]) AS days (day)
CROSS JOIN rules.partitions AS held
CROSS JOIN LATERAL (
    SELECT sampled_at, in_scope, connected, unknown, exempt FROM rules.rate_samples AS one
    WHERE one.partition = held.partition AND one.scope = %(scope)s AND one.dimension = %(dimension)s
      AND one.value = %(value)s AND one.sampled_at <= (days.day + 1)::timestamp AT TIME ZONE 'Asia/Shanghai'
    ORDER BY one.sampled_at DESC LIMIT 1
) AS last
WHERE days.day::timestamp AT TIME ZONE 'Asia/Shanghai' <= (SELECT min(watermark) FROM rules.partitions)
GROUP BY days.day
HAVING bool_and(last.exempt IS NOT NULL)
ORDER BY days.day

-- history_published --
-- Every revision of each closed period that lies within the days: what a figure was before can be read.
SELECT period_kind, (period_from AT TIME ZONE 'Asia/Shanghai')::date, (period_to AT TIME ZONE 'Asia/Shanghai')::date - 1,
       revision, recorded_at, numerator, denominator, unknown, exempt, verdict, reason, figure -> 'target' ->> 'value'
FROM compliance.figures
WHERE metric = %(metric)s AND scope = %(scope)s AND slice_kind = %(dimension)s AND slice_id = %(value)s
  AND period_kind = ANY(%(kinds)s) AND period_from >= %(first)s::timestamp AT TIME ZONE 'Asia/Shanghai'
  AND period_from <= %(last)s::timestamp AT TIME ZONE 'Asia/Shanghai'
  AND period_to <= (%(last)s::date + 1)::timestamp AT TIME ZONE 'Asia/Shanghai'
ORDER BY period_from, revision

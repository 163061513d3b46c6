-- Scores of bodies that stand. Whoever has a part of the district alone sees the score of his own body, whose id begins
-- with the district and a slash where there are several.

-- scored_periods --
SELECT period_kind, (period_from AT TIME ZONE 'Asia/Shanghai')::date
FROM compliance.scores_now
WHERE NOT withdrawn AND (%(whole)s OR split_part(body_id, '/', -1) = %(own)s)
GROUP BY period_kind, period_from
ORDER BY max(period_to) DESC, period_kind
LIMIT %(most)s

-- scores_of_period --
SELECT revision, recorded_at, score
FROM compliance.scores_now
WHERE period_kind = %(kind)s AND period_from = %(begins)s AND NOT withdrawn
  AND (%(whole)s OR split_part(body_id, '/', -1) = %(own)s)
ORDER BY scheme_id, body_id

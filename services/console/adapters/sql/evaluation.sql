-- Scores of bodies that stand. Whoever has a part of the district alone sees the score of his own body.

-- scored_periods --
SELECT period_kind, (period_from AT TIME ZONE 'Asia/Shanghai')::date
FROM compliance.scores
WHERE %(whole)s OR body_id = %(own)s
GROUP BY period_kind, period_from
ORDER BY max(period_to) DESC, period_kind
LIMIT %(most)s

-- scores_of_period --
SELECT DISTINCT ON (scheme_id, body_id) revision, recorded_at, score
FROM compliance.scores
WHERE period_kind = %(kind)s AND period_from = %(begins)s AND (%(whole)s OR body_id = %(own)s)
ORDER BY scheme_id, body_id, revision DESC

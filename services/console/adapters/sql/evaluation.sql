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

-- schemes_of_period --
-- A scheme is its district's: the part of the body's id before a slash, or '' where there is none.
SELECT DISTINCT scheme_id, CASE WHEN strpos(body_id, '/') > 0 THEN split_part(body_id, '/', 1) ELSE '' END
FROM compliance.scores_now
WHERE period_kind = %(kind)s AND period_from = %(begins)s AND NOT withdrawn

-- waiting_points --
-- Points that nobody has decided about (migration 0106).
SELECT s.entry_id, s.scheme_id, s.body_id, s.criterion_id, s.month, s.points::text, s.most, s.reason, s.account,
       s.recorded_at
FROM registry.manual_scores s
WHERE NOT EXISTS (SELECT FROM registry.score_decisions d WHERE d.entry_id = s.entry_id)
ORDER BY s.recorded_at, s.entry_id LIMIT %(most)s

-- circulars --
SELECT d.document_id, d.case_id, coalesce(d.own_number, ''), d.issued_at,
       ARRAY(SELECT f.language || '.' || f.kind FROM documents.rendition_files f WHERE f.document_id = d.document_id
             ORDER BY f.language <> 'zh', f.language, f.kind DESC)
FROM documents.documents d
WHERE d.case_id = ANY(%(cases)s) AND d.source = '/console'
ORDER BY d.issued_at DESC, d.document_id LIMIT %(most)s

-- circular_file --
SELECT f.content FROM documents.rendition_files f JOIN documents.documents d USING (document_id)
WHERE document_id = %(document_id)s AND d.source = '/console' AND f.language = %(language)s AND f.kind = %(file_kind)s

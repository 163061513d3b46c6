-- Points that people entered (migration 0079).

-- scores_count --
SELECT count(*) FROM registry.manual_scores WHERE entry_id LIKE %s

-- score_add --
INSERT INTO registry.manual_scores (entry_id, district, scheme_id, body_id, criterion_id, month, points, most,
                                    reason, account, recorded_at)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)

-- scores_listed --
SELECT entry_id, district, scheme_id, body_id, criterion_id, month, points, reason, most, account, recorded_at
FROM registry.manual_scores ORDER BY recorded_at DESC, entry_id DESC LIMIT %s

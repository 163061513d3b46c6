-- Points that people entered (migration 0079), and what others decided about them (0106).

-- scores_count --
SELECT count(*) FROM registry.manual_scores WHERE entry_id LIKE %s

-- score_add --
INSERT INTO registry.manual_scores (entry_id, district, scheme_id, body_id, criterion_id, month, points, most,
                                    reason, account, recorded_at)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)

-- score_columns --
s.entry_id, s.district, s.scheme_id, s.body_id, s.criterion_id, s.month, s.points, s.reason, s.most, s.account,
s.recorded_at, d.state, d.account, d.note, d.decided_at

-- score --
SELECT {score_columns}
FROM registry.manual_scores s LEFT JOIN registry.score_decisions d USING (entry_id) WHERE s.entry_id = %s

-- score_decide --
INSERT INTO registry.score_decisions (entry_id, state, account, note, decided_at) VALUES (%s, %s, %s, %s, %s)

-- scores_waiting --
SELECT count(*) FROM registry.manual_scores s
WHERE NOT EXISTS (SELECT FROM registry.score_decisions d WHERE d.entry_id = s.entry_id)

-- scores_last --
SELECT greatest((SELECT max(recorded_at) FROM registry.manual_scores),
                (SELECT max(decided_at) FROM registry.score_decisions))

-- scores_listed --
SELECT {score_columns}
FROM registry.manual_scores s LEFT JOIN registry.score_decisions d USING (entry_id)
ORDER BY s.recorded_at DESC, s.entry_id DESC LIMIT %s

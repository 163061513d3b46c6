-- What a pack would have said: our questions, and the answers of compliance (ADR 111).

-- what_if_lock --
LOCK TABLE console.what_ifs IN SHARE ROW EXCLUSIVE MODE

-- what_ifs_forget --
DELETE FROM console.what_ifs WHERE asked_at <= %(before)s

-- what_ifs_open --
-- Those of one account and of all that run, or wait and are not given up.
SELECT count(*) FILTER (WHERE q.asked_by = %(by)s), count(*)
FROM console.what_ifs q LEFT JOIN compliance.what_ifs a USING (what_if_id)
WHERE a.state = 'running' OR (a.state IS NULL AND q.asked_at > %(since)s)

-- what_if_ask --
INSERT INTO console.what_ifs (asked_by, asked_at, period_kind, first_day, source, pack)
VALUES (%(by)s, %(now)s, %(kind)s, %(first)s, %(source)s, %(pack)s)
RETURNING what_if_id

-- what_if_columns --
q.what_if_id, q.period_kind, q.first_day, q.source, q.asked_by, q.asked_at,
coalesce(a.state, CASE WHEN q.asked_at > %(since)s THEN 'waiting' ELSE 'failed' END),
CASE WHEN a.state IS NULL AND q.asked_at <= %(since)s THEN 'not_taken' ELSE coalesce(a.reason, '') END

-- what_ifs_newest --
SELECT {what_if_columns}
FROM console.what_ifs q LEFT JOIN compliance.what_ifs a USING (what_if_id)
WHERE q.asked_at > %(before)s
ORDER BY q.what_if_id DESC LIMIT %(most)s

-- what_if_one --
SELECT {what_if_columns}, a.result
FROM console.what_ifs q LEFT JOIN compliance.what_ifs a USING (what_if_id)
WHERE q.asked_at > %(before)s AND q.what_if_id = %(what_if_id)s

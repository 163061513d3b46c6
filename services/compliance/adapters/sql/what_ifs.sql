-- What was asked of packs that do not hold. Console keeps the questions, compliance the answers (ADR 111).

-- what_if_take_again --
-- One whose process is lost.
WITH lost AS MATERIALIZED (
    SELECT what_if_id FROM compliance.what_ifs WHERE state = 'running' AND lease_until <= %(now)s
    ORDER BY what_if_id LIMIT 1 FOR UPDATE SKIP LOCKED
)
UPDATE compliance.what_ifs AS mine SET attempts = mine.attempts + 1, lease_until = %(lease)s
FROM lost WHERE mine.what_if_id = lost.what_if_id
RETURNING mine.what_if_id, mine.attempts

-- what_if_take_new --
-- Of two processes that take the same one, one gets it; the other finds the next when it looks again.
INSERT INTO compliance.what_ifs (what_if_id, state, attempts, lease_until)
SELECT asked.what_if_id, 'running', 1, %(lease)s
FROM console.what_ifs AS asked
WHERE asked.asked_at > %(since)s
  AND NOT EXISTS (SELECT FROM compliance.what_ifs AS taken WHERE taken.what_if_id = asked.what_if_id)
ORDER BY asked.what_if_id LIMIT 1
ON CONFLICT DO NOTHING
RETURNING what_if_id, attempts

-- what_if_question --
SELECT period_kind, first_day, pack FROM console.what_ifs WHERE what_if_id = %(what_if_id)s

-- what_if_keep --
UPDATE compliance.what_ifs SET lease_until = %(lease)s
WHERE what_if_id = %(what_if_id)s AND attempts = %(attempt)s AND state = 'running'

-- what_if_end --
-- Not one that was taken for lost meanwhile, and is another's.
UPDATE compliance.what_ifs SET state = %(state)s, reason = %(reason)s, result = %(result)s, ended_at = %(now)s
WHERE what_if_id = %(what_if_id)s AND attempts = %(attempt)s AND state = 'running'

-- what_ifs_forget --
DELETE FROM compliance.what_ifs AS answer WHERE NOT EXISTS (
    SELECT FROM console.what_ifs AS asked WHERE asked.what_if_id = answer.what_if_id AND asked.asked_at > %(before)s)

-- How FireNet itself is: bounded questions, none of them walks over a table that grows.

-- system_deliveries --
-- What is held on purpose is not due. What was tried in vain and rests before the next try has not been brought either.
SELECT count(*), min(next_attempt_at) FILTER (WHERE attempts = 0), min(created_at) FILTER (WHERE attempts > 0),
       min(created_at) FILTER (WHERE attempts > 0 AND fire)
FROM (
    SELECT next_attempt_at, created_at, attempts, fire FROM alerts.notices
    WHERE state IN ('pending', 'sending') AND (next_attempt_at <= now() OR attempts > 0)
    ORDER BY fire DESC LIMIT 10000) AS waiting

-- system_findings --
SELECT count(*) FROM (SELECT FROM rules.outbox LIMIT 10000) AS waiting

-- system_refused --
SELECT coalesce(sum(refused), 0)::bigint FROM console.refusal_counts WHERE hour >= %(since)s

-- system_size --
SELECT pg_database_size(current_database())

-- system_certificates --
SELECT count(*), min(expires_at) FROM registry.certificates WHERE revoked_at IS NULL AND expires_at > %(since)s

-- system_synthetic --
SELECT outcome, started_at, detail, sent_at, received_at, alarm_at, rules_at, case_at, notice_at, receipt_at
FROM alerts.synthetic_alarms WHERE outcome IS NOT NULL ORDER BY started_at DESC LIMIT 1

-- health_sample_keep --
-- Of two consoles each takes the sample of a minute: what the first could see stands, the second adds what it could not.
INSERT INTO console.health_samples AS kept (minute, readings) VALUES (%(minute)s, %(readings)s::jsonb)
ON CONFLICT (minute) DO UPDATE SET readings = excluded.readings || kept.readings

-- health_samples_forget --
DELETE FROM console.health_samples WHERE minute < %(before)s

-- health_samples_since --
SELECT minute, readings FROM console.health_samples WHERE minute >= %(first)s ORDER BY minute

-- health_refused --
SELECT hour, sum(refused)::bigint FROM console.refusal_counts WHERE hour >= %(first)s GROUP BY hour

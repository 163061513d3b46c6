-- position --
SELECT known_at, computed_at, published_at, published_closed, state::text, kept_day FROM compliance.log_position

-- begin_anew --
-- What the archive may not hold any more stays, and is the same when it is read again: signals, for a trouble goes on
-- until its end, steps of checks, and of units the last proofs of before what is final.
TRUNCATE compliance.heartbeats, compliance.unit_days

-- forget_registry --
DELETE FROM compliance.records

-- advance --
-- Only from the state that the step was made from: a second process that made it too changes nothing.
INSERT INTO compliance.log_position (known_at, computed_at, published_at, state)
VALUES (%(known_at)s, 0, 0, %(state)s)
ON CONFLICT (one) DO UPDATE SET known_at = excluded.known_at, state = excluded.state
WHERE log_position.known_at = %(before)s
RETURNING known_at

-- lock --
SELECT known_at FROM compliance.log_position FOR UPDATE

-- records --
SELECT data::text FROM compliance.records

-- add_record --
INSERT INTO compliance.records (kind, id, data) VALUES (%s, %s, %s)
ON CONFLICT (kind, id) DO UPDATE SET data = excluded.data

-- add_heartbeats --
INSERT INTO compliance.heartbeats (unit_id, gateway_id, day, received) VALUES (%s, %s, %s, %s)
ON CONFLICT (unit_id, gateway_id, day) DO UPDATE SET received = heartbeats.received || excluded.received

-- heartbeats_of_day --
SELECT received FROM compliance.heartbeats WHERE unit_id = %s AND gateway_id = %s AND day = %s FOR UPDATE

-- replace_heartbeats --
UPDATE compliance.heartbeats SET received = %s WHERE unit_id = %s AND gateway_id = %s AND day = %s

-- units_of_signals --
SELECT s.unit_id FROM compliance.signals s
JOIN unnest(%s::text[], %s::text[], %s::bigint[]) AS n (source, id, received) USING (source, id)
WHERE n.received < s.received

-- add_signal --
INSERT INTO compliance.signals (source, id, unit_id, received, fact) VALUES (%s, %s, %s, %s, %s)
ON CONFLICT (source, id) DO UPDATE
SET unit_id = excluded.unit_id, received = excluded.received, fact = excluded.fact
WHERE excluded.received < signals.received

-- add_check --
-- A step that is read again is there already: the first one holds.
INSERT INTO compliance.checks (gateway_id, command_id, ordered_at, step)
SELECT n.* FROM (VALUES (%s::text, %s::text, %s::bigint, %s::text)) AS n (gateway_id, command_id, ordered_at, step)
WHERE NOT EXISTS (
    SELECT FROM compliance.checks c WHERE c.gateway_id = n.gateway_id AND c.command_id = n.command_id AND c.step = n.step
)

-- carries_before --
-- Of these units those whose carry lies after an instant's day: what happened then is not computed again.
SELECT u.unit_id FROM compliance.units u
JOIN unnest(%s::text[], %s::integer[]) AS n (unit_id, day) USING (unit_id)
WHERE n.day < u.first_day

-- drop_carries --
UPDATE compliance.units SET first_day = NULL, cuts = '[]' WHERE unit_id = ANY (%s)

-- drop_all_carries --
UPDATE compliance.units SET first_day = NULL, cuts = '[]'

-- signals_of --
SELECT fact::text FROM compliance.signals WHERE unit_id = ANY (%s)

-- heartbeats_of --
SELECT h.gateway_id, h.unit_id, h.day, h.received FROM compliance.heartbeats h
JOIN unnest(%s::text[], %s::text[], %s::integer[]) AS n (gateway_id, unit_id, since) USING (gateway_id, unit_id)
WHERE h.day >= n.since ORDER BY h.gateway_id, h.unit_id, h.day

-- checks_of --
SELECT command_id, gateway_id, ordered_at, step FROM compliance.checks WHERE gateway_id = ANY (%s) ORDER BY position

-- units --
SELECT unit_id, first_day, cuts, faults, checks, kept FROM compliance.units WHERE unit_id = ANY (%s)

-- days_since --
SELECT d.unit_id, d.day, d.parts::text FROM compliance.unit_days d
JOIN unnest(%s::text[], %s::integer[]) AS n (unit_id, since) USING (unit_id)
WHERE d.day >= n.since

-- add_day --
INSERT INTO compliance.unit_days (unit_id, day, parts) VALUES (%s, %s, %s)
ON CONFLICT (unit_id, day) DO UPDATE SET parts = excluded.parts

-- drop_day --
DELETE FROM compliance.unit_days WHERE unit_id = %s AND day = %s

-- save_unit --
INSERT INTO compliance.units (unit_id, first_day, cuts, faults, checks) VALUES (%s, %s, %s, %s, %s)
ON CONFLICT (unit_id) DO UPDATE
SET first_day = excluded.first_day, cuts = excluded.cuts, faults = excluded.faults, checks = excluded.checks

-- computed --
UPDATE compliance.log_position SET computed_at = %(known_at)s WHERE known_at = %(known_at)s

-- soil --
INSERT INTO compliance.dirty_days (day, part) VALUES (%s, %s) ON CONFLICT DO NOTHING

-- dirt --
SELECT day, part FROM compliance.dirty_days

-- clean --
DELETE FROM compliance.dirty_days

-- unclosed_from --
-- The end of the last year that is closed, or the first closed day while no year is; none before anything is published.
SELECT coalesce((SELECT max(period_to) FROM compliance.figures WHERE period_kind = 'year'),
                (SELECT min(period_from) FROM compliance.figures WHERE period_kind = 'day'))

-- move_kept --
UPDATE compliance.log_position SET kept_day = %(day)s WHERE kept_day = %(before)s RETURNING kept_day

-- save_kept --
UPDATE compliance.units SET kept = %s WHERE unit_id = %s

-- kept_day --
SELECT kept_day FROM compliance.log_position

-- forget_heartbeats --
DELETE FROM compliance.heartbeats h USING unnest(%s::text[], %s::text[], %s::integer[]) AS n (unit_id, gateway_id, day)
WHERE h.unit_id = n.unit_id AND h.gateway_id = n.gateway_id AND h.day < n.day

-- forget_signals --
DELETE FROM compliance.signals s USING unnest(%s::text[], %s::text[]) AS n (source, id)
WHERE s.source = n.source AND s.id = n.id

-- silence_signals --
-- What it told of is over and gone; that it named a point, or was a test, stays. `repeated` begins and ends nothing (R22).
UPDATE compliance.signals s
SET fact = jsonb_set(s.fact::jsonb, '{flags}', coalesce(s.fact::jsonb -> 'flags', '[]') || '["repeated"]')::json
FROM unnest(%s::text[], %s::text[]) AS n (source, id)
WHERE s.source = n.source AND s.id = n.id

-- forget_checks --
DELETE FROM compliance.checks WHERE ordered_at < %s

-- forget_days --
DELETE FROM compliance.unit_days WHERE unit_id = ANY (%s) AND day < %s

-- histories --
SELECT u.unit_id, u.faults, u.checks, coalesce(d.parts, '{}'::text[]) AS parts
FROM compliance.units u
LEFT JOIN LATERAL (
    SELECT array_agg(parts::text ORDER BY day) AS parts FROM compliance.unit_days
    WHERE unit_id = u.unit_id AND day BETWEEN %s AND %s
) d ON true
ORDER BY u.unit_id

-- open_faults --
SELECT (f ->> 0)::bigint FROM compliance.units u, json_array_elements(u.faults) f WHERE f ->> 1 IS NULL

-- Statements of the checkpoint. Many rows travel as one JSON parameter: one round trip per table, however many.

-- never_idle --
-- A process that is frozen in the middle of a transaction must not keep the next owner from the partition's row.
SET LOCAL idle_in_transaction_session_timeout = '5s'

-- claim --
INSERT INTO rules.partitions AS p (partition, owner, owner_epoch) VALUES (%(partition)s, %(owner)s, 1)
ON CONFLICT (partition) DO UPDATE SET owner = excluded.owner, owner_epoch = p.owner_epoch + 1
RETURNING owner_epoch, next_offset

-- positions --
SELECT 'firenet.signals.v1', partition, next_offset, topic_id FROM rules.partitions ORDER BY partition

-- move_position --
-- By hand, after a log was lost. The epoch counts up: whoever reads the partition at this moment saves nothing more.
UPDATE rules.partitions SET next_offset = %(goal)s, owner_epoch = owner_epoch + 1, topic_id = %(topic_id)s
WHERE partition = %(partition)s AND next_offset = %(saved)s

-- topic_ids --
SELECT partition, topic_id FROM rules.partitions WHERE topic_id IS NOT NULL

-- note_topic_id --
-- The id and the offset that is of it, together; see services/runtime/sql/partitions.sql.
UPDATE rules.partitions AS held
SET topic_id = coalesce(%(topic_id)s, held.topic_id), next_offset = told.next_offset
FROM unnest(%(partitions)s::integer[], %(saved_offsets)s::bigint[], %(next_offsets)s::bigint[])
    AS told (partition, saved, next_offset)
WHERE held.partition = told.partition AND held.next_offset = told.saved

-- load --
SELECT seq, base, body FROM rules.snapshots
WHERE partition = %(partition)s
  AND seq >= (SELECT max(seq) FROM rules.snapshots WHERE partition = %(partition)s AND base)
ORDER BY seq

-- fence --
UPDATE rules.partitions
SET next_offset = %(next_offset)s, watermark = %(watermark)s, visibility = %(visibility)s, blind_after_s = %(blind_after_s)s,
    saved_at = now()
WHERE partition = %(partition)s AND owner_epoch = %(owner_epoch)s

-- snapshot --
INSERT INTO rules.snapshots (partition, seq, base, body) VALUES (%(partition)s, %(seq)s, %(base)s, %(body)s)
ON CONFLICT DO NOTHING

-- forget_snapshots --
DELETE FROM rules.snapshots WHERE partition = %(partition)s AND seq < %(seq)s

-- transitions --
INSERT INTO rules.transitions (transition_id, unit_id, aspect, from_state, to_state, effective_at, detected_at, cause,
                               evidence_topic, evidence_partition, evidence_offset)
SELECT * FROM json_to_recordset(%s::json) AS r (a text, b text, c text, d text, e text, f timestamptz, g timestamptz,
                                                h text, i text, j integer, k bigint)
ON CONFLICT DO NOTHING

-- components --
INSERT INTO rules.component_transitions (transition_id, unit_id, kind, system, address, open, effective_at, detected_at,
                                         cause, evidence_topic, evidence_partition, evidence_offset)
SELECT * FROM json_to_recordset(%s::json) AS r (a text, b text, c text, d text, e text, f boolean, g timestamptz,
                                                h timestamptz, i text, j text, k integer, l bigint)
ON CONFLICT DO NOTHING

-- signals --
INSERT INTO rules.signals (signal_id, received_at, unit_id, gateway_id, kind, occurred_at, seq, body, partition,
                           "offset")
SELECT a, b, c, d, e, f, g, h::jsonb, i, j
FROM json_to_recordset(%s::json) AS r (a text, b timestamptz, c text, d text, e text, f timestamptz, g bigint, h text,
                                       i integer, j bigint)
ON CONFLICT DO NOTHING

-- hours --
INSERT INTO rules.heartbeats_hourly AS held (unit_id, hour, count)
SELECT a, b, sum(c) FROM json_to_recordset(%s::json) AS r (a text, b timestamptz, c integer) GROUP BY a, b
ON CONFLICT (unit_id, hour) DO UPDATE SET count = held.count + excluded.count

-- samples --
INSERT INTO rules.rate_samples (sampled_at, partition, scope, dimension, value, in_scope, connected, unknown, exempt)
SELECT * FROM json_to_recordset(%s::json) AS r (a timestamptz, b integer, c text, d text, e text, f integer, g integer,
                                                h integer, i integer)
ON CONFLICT DO NOTHING

-- units --
INSERT INTO rules.units (unit_id, partition, name, name_en, district, town, community, category, address,
    lead_department, copy_departments, routed, carriers, scopes, connection, connection_since, connection_detected_at,
    health, health_since, last_proof_at, partly_connected, open_fires, open_faults, open_isolations, line_drops,
    unstable_until, updated_at)
SELECT a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u, v, w, x, y, z, now()
FROM json_to_recordset(%s::json) AS rows (a text, b integer, c text, d text, e text, f text, g text, h text, i text,
    j text, k text[], l boolean, m text[], n text[], o text, p timestamptz, q timestamptz, r text, s timestamptz,
    t timestamptz, u boolean, v integer, w integer, x integer, y integer, z timestamptz)
ON CONFLICT (unit_id) DO UPDATE SET
    partition = excluded.partition, name = excluded.name, name_en = excluded.name_en, district = excluded.district,
    town = excluded.town, community = excluded.community, category = excluded.category, address = excluded.address,
    lead_department = excluded.lead_department, copy_departments = excluded.copy_departments, routed = excluded.routed,
    carriers = excluded.carriers, scopes = excluded.scopes, connection = excluded.connection,
    connection_since = excluded.connection_since, connection_detected_at = excluded.connection_detected_at,
    health = excluded.health, health_since = excluded.health_since, last_proof_at = excluded.last_proof_at,
    partly_connected = excluded.partly_connected, open_fires = excluded.open_fires,
    open_faults = excluded.open_faults, open_isolations = excluded.open_isolations, line_drops = excluded.line_drops,
    unstable_until = excluded.unstable_until, updated_at = excluded.updated_at

-- load_rates --
SELECT scope, dimension, value, in_scope, connected, late, offline, unknown, never, commissioning, exempt
FROM rules.rate_counts WHERE partition = %(partition)s

-- forget_rates --
DELETE FROM rules.rate_counts WHERE partition = %(partition)s

-- rates --
INSERT INTO rules.rate_counts (partition, scope, dimension, value, in_scope, connected, late, offline, unknown, never,
                               commissioning, exempt)
SELECT * FROM json_to_recordset(%s::json) AS r (a integer, b text, c text, d text, e integer, f integer, g integer,
                                                h integer, i integer, j integer, k integer, l integer)
ON CONFLICT (partition, scope, dimension, value) DO UPDATE SET
    in_scope = excluded.in_scope, connected = excluded.connected, late = excluded.late, offline = excluded.offline,
    unknown = excluded.unknown, never = excluded.never, commissioning = excluded.commissioning,
    exempt = excluded.exempt

-- outbox --
INSERT INTO rules.outbox (partition, event_id, key, payload)
SELECT b, c, d, convert_to(e, 'UTF8')
FROM json_to_recordset(%s::json) AS r (a integer, b integer, c text, d text, e text)
ORDER BY a
ON CONFLICT (event_id) DO NOTHING

-- notify --
SELECT pg_notify('firenet_live', 'units')

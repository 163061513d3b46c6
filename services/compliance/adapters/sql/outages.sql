-- When units were offline or unknown, and whose that is (migration 0105).

-- interruptions_since --
SELECT o.unit_id, o.started_at, o.ended_at, o.connection, o.cause, o.gateway_id, o.lost_at
FROM compliance.interruptions o
JOIN unnest(%s::text[], %s::bigint[]) AS n (unit_id, since) USING (unit_id)
WHERE o.ended_at IS NULL OR o.ended_at >= n.since

-- losses_since --
SELECT l.unit_id, l.gateway_id, l.lost_at, l.district, l.carrier, l.town
FROM compliance.losses l
JOIN unnest(%s::text[], %s::bigint[]) AS n (unit_id, since) USING (unit_id)
WHERE l.lost_at >= n.since

-- add_interruption --
INSERT INTO compliance.interruptions (unit_id, started_at, ended_at, connection, cause, gateway_id, lost_at)
VALUES (%s, %s, %s, %s, %s, %s, %s)

-- drop_interruption --
DELETE FROM compliance.interruptions WHERE unit_id = %s AND started_at = %s

-- add_loss --
INSERT INTO compliance.losses (unit_id, gateway_id, lost_at, district, carrier, town) VALUES (%s, %s, %s, %s, %s, %s)

-- drop_loss --
DELETE FROM compliance.losses WHERE unit_id = %s AND gateway_id = %s AND lost_at = %s

-- losses_between --
SELECT unit_id, gateway_id, lost_at, district, carrier, town FROM compliance.losses
WHERE lost_at >= %s AND lost_at < %s

-- interruptions_between --
SELECT unit_id, started_at, ended_at, connection, cause, gateway_id, lost_at FROM compliance.interruptions
WHERE started_at >= %(start)s AND started_at < %(end)s
UNION
SELECT unit_id, started_at, ended_at, connection, cause, gateway_id, lost_at FROM compliance.interruptions
WHERE lost_at >= %(lost_from)s AND lost_at < %(lost_to)s

-- standing_outages --
SELECT unit_id, started_at, revision, ended_at, connection, cause, attribution, gateway_id, lost_at, group_id, group_from,
       group_units, withdrawn
FROM (
    SELECT DISTINCT ON (unit_id, started_at) * FROM compliance.outages
    WHERE started_at >= %(start)s AND started_at < %(end)s
    ORDER BY unit_id, started_at, revision DESC
) AS within
UNION ALL
SELECT o.unit_id, o.started_at, o.revision, o.ended_at, o.connection, o.cause, o.attribution, o.gateway_id, o.lost_at,
       o.group_id, o.group_from, o.group_units, o.withdrawn
FROM unnest(%(unit_ids)s::text[], %(starts)s::timestamptz[]) AS n (unit_id, started_at)
CROSS JOIN LATERAL (
    SELECT * FROM compliance.outages WHERE unit_id = n.unit_id AND started_at = n.started_at
    ORDER BY revision DESC LIMIT 1
) AS o

-- add_outage --
INSERT INTO compliance.outages (unit_id, started_at, revision, known_at, ended_at, connection, cause, attribution,
    gateway_id, lost_at, group_id, group_from, group_units, withdrawn)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)

-- forget_interruptions --
DELETE FROM compliance.interruptions WHERE unit_id = ANY (%s) AND ended_at < %s

-- forget_losses --
-- Of whoever an outage that is kept goes back to, or was lost together with, so much before and after.
DELETE FROM compliance.losses l
WHERE l.unit_id = ANY (%(unit_ids)s) AND l.lost_at < %(before)s::bigint - %(reach)s::bigint AND NOT EXISTS (
    SELECT FROM compliance.interruptions o
    WHERE o.lost_at BETWEEN l.lost_at - %(reach)s AND l.lost_at + %(reach)s
)

-- forget_outages --
DELETE FROM compliance.outages p
WHERE p.unit_id = ANY (%s) AND p.started_at < %s AND NOT EXISTS (
    SELECT FROM compliance.interruptions o
    WHERE o.unit_id = p.unit_id AND o.started_at = (extract(epoch FROM p.started_at) * 1000000)::bigint
)

-- Visibility, names, rates and units as the page shows them. `{slice}`, `{where}`, `{accountable}`: from these files only.

-- visibility --
SELECT partition, watermark, visibility FROM rules.visibility_now ORDER BY partition

-- packs --
-- All versions: which of them stands in its district today is for services/kernel/policy.py to say.
SELECT (now() AT TIME ZONE 'Asia/Shanghai')::date, valid_from, body FROM registry.versions WHERE kind = 'pack'

-- people --
-- Whom departments have to do with; what accounts other departments have is nothing to them.
SELECT display_name, min(display_name_en) FROM console.accounts
WHERE role IN ('brigade', 'centre') AND display_name_en <> '' GROUP BY display_name LIMIT 1000

-- departments --
SELECT body FROM registry.in_force WHERE kind = 'department' ORDER BY valid_from, id

-- slice_whole --
TRUE

-- slice_of_department --
-- A street or town answers for everything in its area, whoever leads: its body code is the town of its units.
-- Nobody leads, and nobody is copied on, an alarm of a gateway that is in no register: it is in no slice.
(lead_department = %(department)s OR copy_departments @> ARRAY[%(department)s::text] OR town = %(department)s) AND %(department)s <> ''

-- troubled --
-- Well: connected or rightly absent, and nothing wrong inside. Everything else is on the list.
(connection_now NOT IN ('online', 'exempt', 'retired') OR health_now NOT IN ('normal', 'unknown') OR partly_connected OR unstable_now)

-- tally --
-- date_part, since extract counts in numeric: for 20 000 units that is a third of the statement.
SELECT connection_now, health_now, count(*), count(*) FILTER (WHERE {troubled}), count(*) FILTER (WHERE NOT routed),
       sum((date_part('epoch', updated_at) * 1000)::bigint)::bigint
FROM rules.units_now WHERE {slice} AND connection <> 'retired' GROUP BY 1, 2

-- rates_whole --
SELECT scope, dimension, value, connected - late, late, offline, unknown, never, commissioning, exempt
FROM rules.rates_now WHERE dimension IN ('district', 'town', 'department', 'category')

-- is_town --
SELECT EXISTS (SELECT FROM rules.units WHERE town = %(department)s)

-- rates_of_slice --
-- A department answers for the units it leads, a street for those in its area: the same sum as its row on the
-- district's board, here split by the other dimensions as well.
SELECT scope,
       CASE WHEN grouping(town) = 0 THEN 'town' WHEN grouping(category) = 0 THEN 'category'
            WHEN grouping(lead_department) = 0 THEN 'department' ELSE 'district' END,
       coalesce(CASE WHEN grouping(town) = 0 THEN town WHEN grouping(category) = 0 THEN category
            WHEN grouping(lead_department) = 0 THEN lead_department END, ''),
       count(*) FILTER (WHERE connection_now = 'online' AND NOT partly_connected),
       count(*) FILTER (WHERE connection_now = 'late' AND NOT partly_connected),
       count(*) FILTER (WHERE connection_now = 'offline'
                           OR (partly_connected AND connection_now IN ('online', 'late'))),
       count(*) FILTER (WHERE connection_now = 'unknown'),
       count(*) FILTER (WHERE connection_now = 'never_connected'),
       count(*) FILTER (WHERE connection_now = 'commissioning'),
       count(*) FILTER (WHERE connection_now = 'exempt')
FROM rules.units_now CROSS JOIN LATERAL unnest(scopes) AS scope
WHERE {slice} AND {accountable} AND connection <> 'retired'
GROUP BY GROUPING SETS ((scope), (scope, town), (scope, category), (scope, lead_department))

-- accountable_lead --
lead_department = %(department)s

-- accountable_town --
town = %(department)s

-- unit_columns --
unit_id, name, name_en, town, community, category, address, lead_department, copy_departments, routed, scopes,
connection_now, connection_since, connection_detected_at, health_now, health_since, last_proof_at, partly_connected,
open_fires, open_faults, open_isolations, CASE WHEN unstable_now THEN line_drops ELSE 0 END,
CASE WHEN unstable_now THEN unstable_until END

-- pressing --
CASE WHEN health_now = 'fire' THEN 0
     WHEN connection_now = 'offline' THEN 1
     WHEN partly_connected THEN 2
     WHEN health_now = 'fault' THEN 3
     WHEN health_now = 'isolated' THEN 4
     WHEN health_now = 'partly_isolated' THEN 5
     WHEN connection_now = 'late' THEN 6
     WHEN unstable_now THEN 7
     WHEN connection_now = 'never_connected' THEN 8
     WHEN connection_now = 'unknown' THEN 9
     WHEN connection_now = 'commissioning' THEN 10
     WHEN connection_now = 'exempt' THEN 11 ELSE 12 END

-- units --
-- Counted and put in order in one pass, of narrow rows; what is wide is read for the rows of the page alone. The count
-- comes first in each row.
WITH found AS MATERIALIZED (
    SELECT unit_id, {pressing} AS rank, greatest(connection_since, health_since) AS since
    FROM rules.units_now WHERE {slice} AND {where}
), page AS MATERIALIZED (
    SELECT * FROM found ORDER BY rank, since DESC NULLS LAST, unit_id OFFSET %(offset)s LIMIT %(limit)s
)
SELECT (SELECT count(*) FROM found), {unit_columns} FROM page JOIN rules.units_now USING (unit_id)
ORDER BY rank, since DESC NULLS LAST, unit_id

-- units_count --
-- Where a page begins behind the last of them.
SELECT count(*) FROM rules.units_now WHERE {slice} AND {where}

-- unit --
SELECT {unit_columns} FROM rules.units_now WHERE {slice} AND unit_id = %(unit_id)s

-- passages --
-- With the last connection and the last duty before: what is shown follows from both.
WITH passage AS (
    (SELECT * FROM rules.transitions WHERE unit_id = %(unit_id)s AND effective_at >= %(since)s
     ORDER BY effective_at DESC, transition_id LIMIT 200)
    UNION ALL
    SELECT earlier.* FROM (VALUES ('connection'), ('duty')) AS wanted (aspect)
    CROSS JOIN LATERAL (
        SELECT * FROM rules.transitions AS held
        WHERE held.unit_id = %(unit_id)s AND held.aspect = wanted.aspect AND held.effective_at < %(since)s
        ORDER BY held.effective_at DESC, held.detected_at DESC LIMIT 1
    ) AS earlier
)
SELECT aspect, from_state, to_state, effective_at, detected_at, cause,
       evidence_topic || '/' || evidence_partition || '/' || evidence_offset
FROM passage ORDER BY effective_at DESC, transition_id

-- unit_outages --
-- All revisions of the last outages that compliance published of a unit.
WITH last AS (
    SELECT DISTINCT started_at FROM compliance.outages WHERE unit_id = %(unit_id)s
    ORDER BY started_at DESC LIMIT %(most)s
)
SELECT started_at, revision, known_at, ended_at, connection, attribution, coalesce(gateway_id, ''), lost_at,
       coalesce(group_id, ''), group_from, group_units, withdrawn
FROM compliance.outages JOIN last USING (started_at)
WHERE unit_id = %(unit_id)s ORDER BY started_at DESC, revision

-- named_like --
(name ILIKE %(like)s OR name_en ILIKE %(like)s OR unit_id ILIKE %(like)s OR address ILIKE %(like)s
 OR name IN (SELECT n.name FROM console.name_initials n WHERE n.initials LIKE %(initials)s))

-- names_without_initials --
SELECT DISTINCT u.name FROM rules.units u
WHERE NOT EXISTS (SELECT FROM console.name_initials n WHERE n.name = u.name) LIMIT %(limit)s

-- keep_initials --
INSERT INTO console.name_initials (name, initials) SELECT * FROM unnest(%(names)s::text[], %(initials)s::text[])
ON CONFLICT DO NOTHING

-- english_addresses --
SELECT id, body ->> 'address_en' FROM registry.in_force
WHERE kind = 'unit' AND id = ANY(%(unit_ids)s) AND body ->> 'address_en' <> ''

-- premises --
-- What a unit is: the fields of the register that are true of it, in the order in which whoever drives there asks.
SELECT said.name FROM registry.in_force, LATERAL (VALUES
    (1, 'key_unit'), (2, 'crowded_place'), (3, 'flammable_place'), (4, 'fire_alarm_system'), (5, 'auto_fire_facilities')
) AS said (place, name)
WHERE kind = 'unit' AND id = %(unit_id)s AND (body ->> said.name)::boolean ORDER BY said.place

-- telephones --
-- The unit's own numbers, then those of its contacts, as the register has them today.
SELECT id, 'control_room', '', body ->> 'control_room_phone', 0 FROM registry.in_force
WHERE kind = 'unit' AND id = ANY(%(unit_ids)s) AND body ->> 'control_room_phone' IS NOT NULL
UNION ALL
SELECT id, 'responsible', coalesce(body ->> 'responsible_person', ''), body ->> 'responsible_phone', 1
FROM registry.in_force WHERE kind = 'unit' AND id = ANY(%(unit_ids)s) AND body ->> 'responsible_phone' IS NOT NULL
UNION ALL
SELECT body ->> 'body_code', body ->> 'role', body ->> 'name', body ->> 'phone', 2 FROM registry.in_force
WHERE kind = 'contact' AND body ->> 'body_code' = ANY(%(unit_ids)s) AND body ->> 'phone' IS NOT NULL
  AND coalesce((body ->> 'retired_on')::date > (now() AT TIME ZONE 'Asia/Shanghai')::date, true)
  AND id = ANY(ARRAY(SELECT v.id FROM registry.versions v
                     WHERE v.kind = 'contact' AND v.body ->> 'body_code' = ANY(%(unit_ids)s)))
ORDER BY 1, 5, 2, 3, 4

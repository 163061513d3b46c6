-- The map: how the units of a slice stand, and where they are by the register.

-- map_units --
SELECT unit_id, name, name_en, town, community, connection_now, health_now, partly_connected FROM rules.units_now
WHERE {slice} AND connection <> 'retired'
  AND (%(town)s::text IS NULL OR town = %(town)s) AND (%(community)s::text IS NULL OR community = %(community)s)

-- positions --
SELECT id, (body ->> 'longitude')::float8, (body ->> 'latitude')::float8 FROM registry.in_force
WHERE kind = 'unit' AND body ->> 'longitude' IS NOT NULL AND body ->> 'latitude' IS NOT NULL

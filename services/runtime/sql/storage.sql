-- What the server is, and the chunks of a table that TimescaleDB keeps for us. Only its Apache-2 edition is asked of.

-- server --
SELECT current_setting('server_version'), (SELECT extversion FROM pg_extension WHERE extname = 'timescaledb'),
       current_setting('timescaledb.license', true)

-- hypertables --
SELECT hypertable_schema || '.' || hypertable_name FROM timescaledb_information.hypertables ORDER BY 1

-- alone --
-- Of several processes of a service one works at a time; the others find nothing to do.
SELECT pg_try_advisory_xact_lock(hashtext('firenet retention'), hashtext(%(table)s))

-- hurried --
-- Whoever waits for a table's lock makes everybody behind wait: rather come back later.
SET LOCAL lock_timeout = '2s'

-- chunks --
SELECT range_start, range_end FROM timescaledb_information.chunks
WHERE hypertable_schema || '.' || hypertable_name = %(table)s AND range_end <= %(before)s
ORDER BY range_start

-- drop_chunk --
SELECT count(*) FROM drop_chunks(%(table)s::regclass, older_than => %(last)s::timestamptz,
                                 newer_than => %(first)s::timestamptz)

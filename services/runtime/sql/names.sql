-- The names of processes. A session holds the lock of a name; what it last did shows that its process is not frozen.

-- name_speak --
SELECT pg_backend_pid()

-- name_take --
SELECT pg_try_advisory_lock(hashtextextended(%(key)s, 0))

-- name_give_back --
SELECT pg_advisory_unlock(hashtextextended(%(key)s, 0))

-- name_holder --
SELECT activity.pid, coalesce(activity.application_name, ''),
       extract(epoch FROM clock_timestamp() - greatest(activity.query_start, activity.state_change))::float8
FROM pg_locks AS lock JOIN pg_stat_activity AS activity ON activity.pid = lock.pid
WHERE lock.locktype = 'advisory' AND lock.granted AND lock.objsubid = 1
  AND lock.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND (lock.classid::bigint << 32 | lock.objid::bigint) = hashtextextended(%(key)s, 0)

-- name_end_holder --
SELECT pg_terminate_backend(%(pid)s)

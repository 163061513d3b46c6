#!/bin/bash
# Makes the database the first time, becomes the server.
#   DATABASE_NAME, DATABASE_USER      firenet, firenet (owner of the database; not a superuser)
#   DATABASE_PASSWORD_FILE            file with that user's password (required the first time)
#   DATABASE_BIND, DATABASE_PORT      0.0.0.0, 5432
#   DATABASE_SHARED_BUFFERS           256MB
#   TIMESCALEDB_MAX_BACKGROUND_WORKERS  4; 0 switches the scheduler off (it holds a connection to every
#                                     database, which blocks copying a template in tests)
#   DATABASE_COPIES                   not empty: the log is archived to /var/lib/firenet-copies/log, for base-copy and recover
# Arguments are handed to postgres: `-c fsync=off`.
set -euo pipefail

data=/var/lib/firenet-db/data
name="${DATABASE_NAME:-firenet}"
user="${DATABASE_USER:-firenet}"
port="${DATABASE_PORT:-5432}"
workers="${TIMESCALEDB_MAX_BACKGROUND_WORKERS:-4}"

common=(-c shared_preload_libraries=timescaledb -c "port=$port" -c "timescaledb.max_background_workers=$workers"
    -c "max_worker_processes=$((workers + 8))" -c timescaledb.telemetry_level=off)

make_database() { # in a folder of another name, so that one cut short is never taken for a finished one
    [ -r "${DATABASE_PASSWORD_FILE:-}" ] || { echo "timescaledb: DATABASE_PASSWORD_FILE names no readable file" >&2; exit 1; }
    local password
    password="$(cat "$DATABASE_PASSWORD_FILE")"
    rm -rf "$data.new"
    initdb --pgdata "$data.new" --username postgres --encoding UTF8 --locale C.UTF-8 --data-checksums \
        --auth-local peer --auth-host scram-sha-256 --no-instructions >/dev/null
    printf 'host all all all scram-sha-256\n' >>"$data.new/pg_hba.conf"
    pg_ctl --pgdata "$data.new" --wait --silent --log /dev/stderr --options "${common[*]} -c listen_addresses=" start
    psql --port "$port" --quiet --no-psqlrc -v ON_ERROR_STOP=1 -v name="$name" -v user="$user" -v password="$password" <<'SQL'
SET client_min_messages = warning;
CREATE ROLE :"user" LOGIN CREATEDB PASSWORD :'password';
CREATE DATABASE :"name" OWNER :"user";
\connect :name
CREATE EXTENSION IF NOT EXISTS timescaledb;
SQL
    pg_ctl --pgdata "$data.new" --wait --silent --mode fast stop
    mv "$data.new" "$data"
}

# Held by every process of the server: neither a second one nor `recover` works on the same files.
exec 9>"$data.lock"
flock -n 9 || { echo "timescaledb: another server runs on these files" >&2; exit 1; }
[ -e "$data/PG_VERSION" ] || make_database

# A piece is there when it is whole, and one that is there stays: the server offers it again after a crash. What cannot be
# copied waits, and keeps nobody out.
archiving=()
if [ -n "${DATABASE_COPIES:-}" ]; then
    mkdir -p -m 0700 /var/lib/firenet-copies/log || echo "timescaledb: /var/lib/firenet-copies is not writable: the log is not archived" >&2
    there='"/var/lib/firenet-copies/log/%f"' new='"/var/lib/firenet-copies/log/%f.unfinished"'
    archiving=(-c archive_mode=on -c archive_timeout=60
        -c "archive_command=if test -f $there; then cmp -s \"%p\" $there; else cp \"%p\" $new && sync $new && mv $new $there; fi")
fi
exec postgres -D "$data" "${common[@]}" -c "listen_addresses=${DATABASE_BIND:-0.0.0.0}" \
    -c "shared_buffers=${DATABASE_SHARED_BUFFERS:-256MB}" "${archiving[@]}" "$@"

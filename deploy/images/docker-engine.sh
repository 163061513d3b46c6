#!/usr/bin/env bash
# Starts a Docker engine where none answers, and stops only the one it started.
#
#   docker-engine.sh start    exit 0: an engine answers; exit 1: one line says why there is none
#   docker-engine.sh stop     ends the engine that `start` started, and no other
#   docker-engine.sh status   exit 0 if an engine answers
#
# Used by .ci/run and by tests/containers.py on machines where no service manager starts dockerd.
set -euo pipefail

ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
STATE="${FIRENET_ENGINE_STATE:-$ROOT/var/docker-engine}"
PID_FILE="$STATE/pid"
LOG="$STATE/dockerd.log"
READY_WITHIN_S="${FIRENET_ENGINE_READY_S:-30}"

say() { printf 'docker-engine: %s\n' "$*"; }
fail() { printf 'docker-engine: %s\n' "$*" >&2; exit 1; }

answers() { timeout 10 docker version --format '{{.Server.Version}}' >/dev/null 2>&1; }

# A pid alone may have been given to another program since: field 22 of stat, the start time, settles it.
start_time_of() { sed 's/^.*) //' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f20; }

ours() {
    [ -s "$PID_FILE" ] || return 1
    local pid started
    read -r pid started <"$PID_FILE"
    [ -n "$started" ] && [ "$(start_time_of "$pid")" = "$started" ]
}

start() {
    command -v docker >/dev/null || fail "the docker client is missing: install docker.io (apt-get install docker.io)"
    if answers; then
        say "an engine already answers ($(docker version --format '{{.Server.Version}}'))"
        return 0
    fi
    command -v dockerd >/dev/null || fail "no engine answers and dockerd is missing: install docker.io (apt-get install docker.io)"
    [ "$(id -u)" -eq 0 ] || fail "no engine answers and only root can start dockerd: start your Docker service"
    case "${DOCKER_HOST:-}" in
        "" | unix:///var/run/docker.sock) ;;
        *) fail "the engine at DOCKER_HOST does not answer; unset DOCKER_HOST to use one on this machine" ;;
    esac

    # Containers inherit the engine's limits, and a broker needs a file for each connection.
    ulimit -n "$(ulimit -Hn)" || true
    # Its own session, so that Ctrl-C in the caller's terminal does not end it; no lock inherited (9>&-).
    setsid nohup dockerd --storage-driver=overlay2 >"$LOG" 2>&1 </dev/null 9>&- &
    local pid=$! waited=0
    printf '%s %s\n' "$pid" "$(start_time_of "$pid")" >"$PID_FILE"
    until answers; do
        if ! kill -0 "$pid" 2>/dev/null || [ "$waited" -ge "$((READY_WITHIN_S * 5))" ]; then
            local why
            why="$(grep -E 'level=(fatal|error)|^failed' "$LOG" | tail -1 | cut -c1-200 || true)"
            stop_ours >/dev/null
            fail "dockerd did not come up here (${why:-no reason given}; log: $LOG)"
        fi
        sleep 0.2
        waited=$((waited + 1))
    done
    say "started $(docker version --format '{{.Server.Version}}') (pid $pid, log $LOG)"
}

stop_ours() {
    if ! ours; then
        rm -f "$PID_FILE"
        say "started no engine that is still running"
        return 0
    fi
    local pid waited=0
    read -r pid _ <"$PID_FILE"
    kill "$pid"
    while ours && [ "$waited" -lt 100 ]; do
        sleep 0.2
        waited=$((waited + 1))
    done
    ours && kill -9 "$pid"
    rm -f "$PID_FILE"
    say "stopped pid $pid"
}

locked() {
    mkdir -p "$STATE"
    exec 9>"$STATE/lock"
    command -v flock >/dev/null && flock 9
    "$@"
}

case "${1:-}" in
    start) locked start ;;
    stop) locked stop_ours ;;
    status)
        command -v docker >/dev/null || fail "the docker client is missing: install docker.io"
        answers || fail "no engine answers: run deploy/images/docker-engine.sh start"
        ;;
    *) fail "usage: docker-engine.sh start | stop | status" ;;
esac

#!/usr/bin/env bash
# Builds every image of FireNet on this machine, from Debian packages, Maven jars and Python wheels:
# no image registry is asked for anything. `make images` calls it.
#
#   build.sh             build what is missing or out of date
#   build.sh kafka app   only these (and base where it is missing)
#   FORCE=1 build.sh     rebuild all the same: how Debian's security updates get in
#
# Where packages come from is this machine's own matter: apt's, pip's and Maven's configuration decide,
# and debootstrap's default mirror where apt knows no Debian one. No address stands in this repository.
set -euo pipefail

HERE="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
ROOT="$(cd "$HERE/../.." && pwd)"
WORK="$ROOT/build/images"
SUITE=trixie
FORCE="${FORCE:-0}"
ALL=(mosquitto kafka timescaledb prometheus app)
LABEL=org.firenet.inputs

say() { printf 'images: %s\n' "$*"; }
fail() { printf 'images: %s\n' "$*" >&2; exit 1; }
need() { command -v "$1" >/dev/null || fail "$1 is missing: $2"; }

apt_setting() { # NAME -> value of one apt configuration key, empty where there is none
    command -v apt-config >/dev/null || return 0
    local VALUE=""
    eval "$(apt-config shell VALUE "$1")"
    printf '%s' "$VALUE"
}

apt_mirror() { # LABEL -> the address this machine itself uses for it, empty where there is none
    command -v apt-get >/dev/null || return 0
    # shellcheck disable=SC2016  # $(REPO_URI) is apt's own word
    { apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' "Label: $1" 2>/dev/null || true; } | sort -u | head -1
}

digest() { # of the files and words given: an image is out of date when this changed
    local what
    for what in "$@"; do
        if [ -e "$what" ]; then
            find "$what" -type f ! -name '*.pyc' -print0 | LC_ALL=C sort -z | xargs -0 sha256sum | sed "s#$ROOT/##"
        else
            printf '%s\n' "$what"
        fi
    done | sha256sum | cut -c1-16
}

id_of() { docker image inspect --format '{{.Id}}' "$1" 2>/dev/null || true; }

fresh() { # IMAGE DIGEST -> true if it is there and was built from these inputs
    [ "$FORCE" != 1 ] || return 1
    [ "$(docker image inspect --format "{{index .Config.Labels \"$LABEL\"}}" "$1" 2>/dev/null || true)" = "$2" ] || return 1
    say "$1 is up to date (FORCE=1 rebuilds it)"
}

report() { # IMAGE SECONDS
    local bytes
    bytes="$(docker image inspect --format '{{.Size}}' "$1")"
    say "$1 built in $2 s, $((bytes / 1000000)) MB"
}

# NAME CONTEXT DIGEST [OPTION...]: the output goes to a log; its end is shown only when the build failed.
docker_build() {
    local image="firenet/$1:local" context=$2 inputs=$3 log="$WORK/$1.log" began=$SECONDS proxy
    shift 3
    # Docker's own cache would hand back the packages of the last build.
    [ "$FORCE" != 1 ] || set -- --no-cache "$@"
    proxy="$(apt_setting Acquire::http::Proxy)"
    say "$image: building (log: ${log#"$ROOT"/})"
    # --network host: the builder reaches packages the same way this machine does, without a bridge.
    # http_proxy is a predefined argument of Docker: it is used in the build and not kept in the image.
    if ! docker build --force-rm --network host ${proxy:+--build-arg "http_proxy=$proxy"} \
        --label "$LABEL=$inputs" --tag "$image" "$@" "$context" >"$log" 2>&1; then
        tail -25 "$log" >&2
        fail "$image could not be built; the lines above are the end of ${log#"$ROOT"/}"
    fi
    report "$image" "$((SECONDS - began))"
}

build_base() {
    local image=firenet/base:local inputs mirror security proxy rootfs began=$SECONDS
    # By hash of the recipe, not of the packages: FORCE=1 is how security updates get in.
    inputs="$(digest "base $SUITE" "$(declare -f build_base trim_base)")"
    if fresh "$image" "$inputs"; then return 0; fi

    need debootstrap "install it (apt-get install debootstrap)"
    [ "$(id -u)" -eq 0 ] || fail "debootstrap needs root: run make images as root"
    mirror="$(apt_mirror Debian)"
    security="$(apt_mirror Debian-Security)"
    proxy="$(apt_setting Acquire::http::Proxy)"
    mkdir -p "$WORK"
    rootfs="$(mktemp -d "$WORK/base.XXXXXX")"
    # shellcheck disable=SC2064  # the value of now is meant
    trap "rm -rf --one-file-system '$rootfs'" EXIT

    say "$image: debootstrap of Debian $SUITE (log: build/images/base.log)"
    if ! {
        env ${proxy:+"http_proxy=$proxy"} \
            debootstrap --variant=minbase --include=ca-certificates "$SUITE" "$rootfs" ${mirror:+"$mirror"} &&
            if [ -n "$security" ]; then
                printf 'deb %s %s-security main\n' "$security" "$SUITE" >>"$rootfs/etc/apt/sources.list"
            fi &&
            trim_base "$rootfs" "$proxy"
    } >"$WORK/base.log" 2>&1; then
        tail -15 "$WORK/base.log" >&2
        fail "debootstrap of Debian $SUITE failed; the lines above are the end of build/images/base.log"
    fi
    tar -C "$rootfs" --one-file-system -c . |
        docker import --change "LABEL $LABEL=$inputs" --change 'ENV LANG=C.UTF-8' --change 'CMD ["bash"]' - "$image" >/dev/null
    rm -rf --one-file-system "$rootfs"
    trap - EXIT
    report "$image" "$((SECONDS - began))"
}

trim_base() { # ROOTFS PROXY: take in security updates, keep no manuals, caches or traces of this machine
    printf 'path-exclude=/usr/share/%s\n' 'doc/*' 'man/*' 'info/*' 'locale/*' 'lintian/*' >"$1/etc/dpkg/dpkg.cfg.d/firenet"
    printf 'path-include=/usr/share/doc/*/copyright\n' >>"$1/etc/dpkg/dpkg.cfg.d/firenet"
    printf 'APT::Install-Recommends "false";\nAcquire::Retries "3";\n' >"$1/etc/apt/apt.conf.d/firenet"
    env DEBIAN_FRONTEND=noninteractive ${2:+"http_proxy=$2"} chroot "$1" sh -ec \
        'apt-get update; apt-get -y dist-upgrade; apt-get clean'
    find "$1/usr/share/doc" -type f ! -name copyright -delete
    rm -rf "$1"/usr/share/man/* "$1"/usr/share/info/* "$1"/usr/share/locale/* "$1"/var/lib/apt/lists/* \
        "$1"/var/cache/* "$1"/var/log/* "$1/etc/resolv.conf" "$1/etc/hostname"
    # Java's and PostgreSQL's packages link manuals into these and fail without them.
    mkdir "$1"/usr/share/man/man{1..8}
}

kafka_jars() { # DIR: every jar of the broker and its tools, by Maven where it is installed, else by jgo
    local jgo="$ROOT/.venv/bin/jgo" jar version
    version="$(sed -n 's#.*<kafka.version>\(.*\)</kafka.version>.*#\1#p' "$HERE/kafka/pom.xml")"
    rm -rf "$1"
    mkdir -p "$1"
    if command -v mvn >/dev/null; then
        say "firenet/kafka:local: jars of Kafka $version by Maven"
        if ! mvn --batch-mode --file "$HERE/kafka/pom.xml" dependency:copy-dependencies \
            -DincludeScope=runtime -DoutputDirectory="$1" >"$WORK/kafka-jars.log" 2>&1; then
            tail -15 "$WORK/kafka-jars.log" >&2
            fail "Maven could not fetch Kafka's jars; the lines above are the end of build/images/kafka-jars.log"
        fi
    else
        command -v "$jgo" >/dev/null || jgo="$(command -v jgo || true)"
        [ -n "$jgo" ] || fail "neither mvn nor jgo is here: run make install (brings jgo) or install maven"
        say "firenet/kafka:local: jars of Kafka $version by jgo (Maven is not installed)"
        {
            "$jgo" --resolver python info jars "org.apache.kafka:kafka_2.13:$version+org.slf4j:slf4j-simple:1.7.36"
            # Of the tools only their own jar, as in pom.xml: what else they name is Connect's.
            "$jgo" --resolver python info jars "org.apache.kafka:kafka-tools:$version" | grep "/kafka-tools-$version.jar$"
        } | grep '\.jar$' | while read -r jar; do cp "$jar" "$1/"; done
    fi
    [ "$(find "$1" -name 'kafka_2.13-*.jar' -o -name 'kafka-tools-[0-9]*.jar' | wc -l)" -eq 2 ] ||
        fail "the fetched jars lack Kafka's broker or its tools"
}

app_wheels() { # DIR PYTHON_VERSION: the pinned run-time wheels for the image's Python, by this machine's pip
    local pip=("$ROOT/.venv/bin/python" -m pip)
    [ -x "${pip[0]}" ] || pip=(python3 -m pip)
    "${pip[@]}" --version >/dev/null 2>&1 || fail "pip is missing: run make install, or install python3-pip"
    rm -rf "$1"
    mkdir -p "$1"
    say "firenet/app:local: wheels of requirements/runtime.txt for Python $2"
    "${pip[@]}" download --quiet --only-binary=:all: --python-version "$2" --implementation cp --dest "$1" \
        --requirement "$ROOT/requirements/runtime.txt" ||
        fail "pip could not fetch the wheels of requirements/runtime.txt for Python $2; the lines above say why"
}

stage() { # NAME -> fresh copy of its recipe in build/images/NAME, what the builder is given
    rm -rf "${WORK:?}/$1"
    mkdir -p "$WORK"
    cp -R "$HERE/$1" "$WORK/$1"
}

build_one() {
    local name=$1 image="firenet/$1:local" inputs wheels sources=()
    # The source is last in the recipe, so that a changed line of code costs a second and no new wheels.
    [ "$name" != app ] || sources=("$ROOT/requirements/runtime.txt" "$ROOT/schemas" "$ROOT/services" "$ROOT/deploy")
    inputs="$(digest "$(id_of firenet/base:local)" "$HERE/$name" "${sources[@]}")"
    if fresh "$image" "$inputs"; then return 0; fi
    case "$name" in
        kafka)
            kafka_jars "$WORK/kafka-jars"
            stage kafka
            mv "$WORK/kafka-jars" "$WORK/kafka/jars"
            ;;
        app)
            stage_app
            wheels="$(digest "$(id_of firenet/base:local)" "$HERE/app/wheels.Dockerfile" "$ROOT/requirements/runtime.txt")"
            fresh firenet/app-wheels:local "$wheels" ||
                docker_build app-wheels "$WORK/app" "$wheels" --file "$WORK/app/wheels.Dockerfile"
            ;;
        *) stage "$name" ;;
    esac
    docker_build "$name" "$WORK/$name" "$inputs"
    rm -rf "${WORK:?}/$name"
}

stage_app() {
    local wheels="$WORK/app-wheels" key python=3.13 # Debian trixie's
    key="$(digest "$ROOT/requirements/runtime.txt" "$python")"
    if [ "$FORCE" = 1 ] || [ "$(cat "$wheels/.key" 2>/dev/null || true)" != "$key" ]; then
        app_wheels "$wheels" "$python"
        printf '%s' "$key" >"$wheels/.key"
    fi
    stage app
    mkdir "$WORK/app/source"
    cp -R "$wheels" "$WORK/app/wheels"
    rm "$WORK/app/wheels/.key"
    cp "$ROOT/requirements/runtime.txt" "$WORK/app/runtime.txt"
    tar -C "$ROOT" --exclude=__pycache__ --exclude=deploy/images -c schemas services deploy |
        tar -C "$WORK/app/source" -x
}

main() {
    local name wanted=("$@")
    [ "${#wanted[@]}" -gt 0 ] || wanted=("${ALL[@]}")
    for name in "${wanted[@]}"; do
        case " base ${ALL[*]} " in
            *" $name "*) ;;
            *) fail "no image is called $name; there are: base ${ALL[*]}" ;;
        esac
    done
    need docker "install docker.io (apt-get install docker.io)"
    "$HERE/docker-engine.sh" start
    case " $* " in
        "  " | *" base "*) build_base ;;
        *) FORCE=0 build_base ;; # FORCE is for what was named
    esac
    for name in "${wanted[@]}"; do
        [ "$name" = base ] || build_one "$name"
    done
    # What a rebuild has replaced: only images without a name that bear our label.
    docker image prune --force --filter "label=$LABEL" >/dev/null
    say "Grafana is in no package registry, so no image of it is built: make up runs without it;" \
        "where docker can pull, add the compose profile grafana (grafana/grafana-oss)"
}

main "$@"

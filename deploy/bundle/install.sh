#!/usr/bin/env bash
# Installs FireNet from this folder on a machine without internet: checks every file, loads the images, unpacks the source.
#
#   ./install.sh [FOLDER]     FOLDER: where to, /opt/firenet by default; can be run again, data and secrets there stay
#
# It needs docker with compose. It starts nothing: the last line says how.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

say() { printf 'install: %s\n' "$*"; }
fail() { printf 'install: %s\n' "$*" >&2; exit 1; }

to="${1:-/opt/firenet}"
command -v docker >/dev/null || fail "docker is missing: install it from your distribution's media"
docker version >/dev/null 2>&1 || fail "docker does not answer: start it, and run this as somebody who may use it"

say "checking every file"
sha256sum --quiet --strict --check SHA256SUMS >&2 || fail "a file is not what was packed: copy the bundle again; nothing was installed"
unknown="$(find . -type f ! -name SHA256SUMS -printf '%P\n' | LC_ALL=C sort | comm -23 - <(cut -c67- SHA256SUMS | LC_ALL=C sort))"
[ -z "$unknown" ] || fail "not packed by us: $unknown; nothing was installed"

say "loading the images"
gzip -dc images.tar.gz | docker load --quiet

say "unpacking the source to $to"
mkdir -p "$to"
tar -xzf source.tar.gz -C "$to" --strip-components=1

say "done. Start it with: cd $to && make up"
say "The chart for Kubernetes is firenet-chart-*.tgz, what is in the images stands in sbom.cdx.json"

#!/usr/bin/env bash
# Makes the secrets that deploy/compose.yaml mounts, each once: one that is there is never changed, because the
# database keeps the password it was made with. They lie in var/secrets, which git ignores.
set -euo pipefail

DIR="${1:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)/var/secrets}"
# The folder is its owner's alone; the files in it are readable, because compose hands each to a container as it is,
# and the user there is another one.
mkdir -p "$DIR"
chmod 0700 "$DIR"
# alerts reads the first two: one file per webhook_secret_ref; the mail server's password. The console the third: of the identity provider
mkdir -p "$DIR/webhooks" "$DIR/mail" "$DIR/provider"
for name in database_password alerts_token documents_token link_key second_factor_key registry_token grafana_password mqtt_alerts mqtt_ingest mqtt_monitor mqtt_registry mqtt_simulator; do
    if [ ! -s "$DIR/$name" ]; then
        head -c 32 /dev/urandom | base64 | tr -d '+/=\n' >"$DIR/$name.new"
        chmod 0444 "$DIR/$name.new"
        mv "$DIR/$name.new" "$DIR/$name"
        printf 'secrets: made %s\n' "$name"
    fi
done

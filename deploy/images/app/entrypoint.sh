#!/bin/bash
# For every NAME_FILE in the environment, puts that file's content into NAME, then becomes the command.
# So a password stays out of compose files and of `docker inspect`. PGPASSWORD_FILE serves every
# connection string without a password in it: libpq reads PGPASSWORD itself.
# What one channel of alerts needs keeps no fire from the others: where such a file cannot be read its name stays, and
# alerts says which channel works without it.
set -euo pipefail
for variable in $(compgen -e); do
    case "$variable" in
        FIRENET_*_FILE | INGEST_*_FILE | RULES_*_FILE | ALERTS_*_FILE | DOCUMENTS_*_FILE | COMPLIANCE_*_FILE | CONSOLE_*_FILE | REGISTRY_*_FILE | SIMULATOR_*_FILE | PGPASSWORD_FILE)
            if [ ! -r "${!variable}" ]; then
                case "$variable" in
                    ALERTS_SMTP_PASSWORD_FILE | ALERTS_LINK_KEY_FILE | ALERTS_MQTT_PASSWORD_FILE | \
                        ALERTS_SYNTHETIC_MQTT_PASSWORD_FILE | ALERTS_HEARTBEAT_URL_FILE)
                        echo "entrypoint: $variable names no readable file; alerts goes on without it" >&2
                        continue
                        ;;
                esac
            fi
            [ -r "${!variable}" ] || { echo "entrypoint: $variable names no readable file" >&2; exit 1; }
            printf -v "${variable%_FILE}" '%s' "$(cat "${!variable}")"
            export "${variable%_FILE}"
            unset "$variable"
            ;;
    esac
done
exec "$@"

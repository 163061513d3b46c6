#!/bin/bash
# Renders the settings, formats the log folder the first time, becomes the broker.
#   KAFKA_BIND             address to listen on (default 0.0.0.0; tests on the host's network give 127.0.0.1)
#   KAFKA_PORT             9092
#   KAFKA_CONTROLLER_PORT  9093, on loopback only
#   KAFKA_ADVERTISED_HOST  the name clients are told to come back to (default: this host's name)
#   KAFKA_HEAP             largest Java heap (default 512m)
set -euo pipefail

data=/var/lib/kafka/data
settings=/var/lib/kafka/server.properties
port="${KAFKA_PORT:-9092}"
mkdir -p "$data"
sed -e "s#@BIND@#${KAFKA_BIND:-0.0.0.0}#" -e "s#@PORT@#$port#" -e "s#@DATA@#$data#" \
    -e "s#@CONTROLLER_PORT@#${KAFKA_CONTROLLER_PORT:-9093}#" \
    -e "s#@ADVERTISED_HOST@#${KAFKA_ADVERTISED_HOST:-$(hostname)}#" \
    /opt/kafka/server.properties >"$settings"

export CLASSPATH='/opt/kafka/jars/*'
if [ ! -e "$data/meta.properties" ]; then
    cluster="$(head -c 16 /dev/urandom | base64 | tr '+/' '-_' | cut -c1-22 | sed 's/^-/A/')"
    java -XX:TieredStopAtLevel=1 -Dorg.slf4j.simpleLogger.defaultLogLevel=warn \
        kafka.tools.StorageTool format --ignore-formatted -t "$cluster" -c "$settings"
fi
# Serial collector: on two cores shared with five other programs, parallel ones only compete.
exec java "-Xmx${KAFKA_HEAP:-512m}" -Xms128m -XX:+UseSerialGC -XX:+ExitOnOutOfMemoryError \
    -Dorg.slf4j.simpleLogger.defaultLogLevel="${KAFKA_LOG_LEVEL:-warn}" \
    -Dorg.slf4j.simpleLogger.log.kafka.server.KafkaRaftServer=info \
    -Dorg.slf4j.simpleLogger.showDateTime=true -Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd\'T\'HH:mm:ss.SSSXXX \
    kafka.Kafka "$settings" "$@"

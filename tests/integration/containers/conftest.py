from tests.containers import (
    docker_engine,
    kafka_container,
    mosquitto_container,
    timescaledb_container,
    timescaledb_database,
)
from tests.integration.ingest.conftest import own_kafka

__all__ = [
    "docker_engine",
    "kafka_container",
    "mosquitto_container",
    "own_kafka",
    "timescaledb_container",
    "timescaledb_database",
]

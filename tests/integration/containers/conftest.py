from tests.containers import (
    docker_engine,
    kafka_container,
    mosquitto_container,
    timescaledb_container,
    timescaledb_database,
)

__all__ = ["docker_engine", "kafka_container", "mosquitto_container", "timescaledb_container", "timescaledb_database"]

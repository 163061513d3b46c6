from tests.containers import (
    docker_engine,
    migrated_timescaledb_database,
    migrated_timescaledb_template,
    timescaledb_container,
)

__all__ = ["docker_engine", "migrated_timescaledb_database", "migrated_timescaledb_template", "timescaledb_container"]

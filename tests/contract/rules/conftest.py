from tests.containers import docker_engine, timescaledb_container, timescaledb_database

__all__ = ["docker_engine", "timescaledb_container", "timescaledb_database"]

"""The secured broker against a hostile client: real Mosquitto, real ingest, the registry's own command line."""

"""Ingest's ends: the broker, Kafka, the registry topic and the wire formats."""

"""Kafka, PostgreSQL and the wire, translated for the domain."""

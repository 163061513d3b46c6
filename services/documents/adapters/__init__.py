"""Kafka, PostgreSQL and the templates behind the ports."""

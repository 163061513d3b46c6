"""Ingest on real brokers: Mosquitto or the embedded one in front, Apache Kafka behind."""

"""Compliance as a process over a real Kafka."""

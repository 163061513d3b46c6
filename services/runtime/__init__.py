"""Plumbing without business words: settings, lifecycle, Kafka, PostgreSQL, logging, status, the clock, addresses."""

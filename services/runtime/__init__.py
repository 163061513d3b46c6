"""Plumbing without business words: settings, lifecycle, Kafka, PostgreSQL, logging, status over HTTP, the clock, addresses."""

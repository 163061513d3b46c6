"""Files, PostgreSQL, Kafka, and the translation between wire models and the domain."""

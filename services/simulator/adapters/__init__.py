"""CSV files, MQTT, the ledger."""

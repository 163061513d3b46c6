"""What ingest does: lanes to Kafka and back, ticks, orders to devices, replays."""

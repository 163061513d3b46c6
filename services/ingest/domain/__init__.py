"""What ingest decides, without any input or output."""

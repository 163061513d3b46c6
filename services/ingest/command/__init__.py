"""Orders to devices at the command line: `python -m services.ingest.command clock|duty`."""

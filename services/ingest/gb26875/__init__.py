"""Command line of the GB/T 26875.3 codec: `python -m services.ingest.gb26875 decode|encode`."""

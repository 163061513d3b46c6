"""Command line for refusals: `python -m services.ingest.refusals list|inspect|export|replay`."""

"""What `python -m services.rules` does beside running the service."""

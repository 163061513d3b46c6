"""What runs: issuing what was requested, and telling of it."""

"""The registry's three jobs: take files in, publish what changed, answer questions."""

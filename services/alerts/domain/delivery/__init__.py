"""Notices, from what is written to what became of each attempt."""

"""Ladders: which rung, when, and what climbing it changes."""

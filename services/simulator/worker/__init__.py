"""Plays a district and its script; drives the load generator."""

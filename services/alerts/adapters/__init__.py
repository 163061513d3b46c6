"""Drivers behind the ports of alerts, and the translation between wire and domain."""

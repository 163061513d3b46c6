"""The wire: every message that crosses a topic, as a pydantic model with its codec, topic files and examples.

Stands alone: imports no service. Domains have their own values; adapters translate between the two.
"""

"""Figures: what the facts mean against the targets of the policy packs."""

"""Compliance figures computed a second time, naively, from the text of docs/domain/figures.md alone.

Nothing here imports the product; only `compare` and `__main__` run it, to compare. Each function names its rule.
"""

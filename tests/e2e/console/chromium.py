"""The browser that pages are looked at in."""

import os
from pathlib import Path

from playwright.async_api import expect

CHROMIUM = Path(os.environ.get("FIRENET_CHROMIUM", "/usr/bin/chromium"))
LIMIT_MS = 60_000
"""For everything that a page may take its time for; what has to be quick says so."""
expect.set_options(timeout=LIMIT_MS)
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--no-first-run",
]  # fmt: skip

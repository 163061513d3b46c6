"""The browser that pages are looked at in."""

import os
from pathlib import Path
from typing import Literal, TypedDict

from playwright.async_api import Page, expect

CHROMIUM = Path(os.environ.get("FIRENET_CHROMIUM", "/usr/bin/chromium"))
LIMIT_MS = 60_000
"""For everything that a page may take its time for; what has to be quick says so."""
expect.set_options(timeout=LIMIT_MS)


class _Still(TypedDict):
    reduced_motion: Literal["reduce"]


STILL: _Still = {"reduced_motion": "reduce"}
"""For a context: a mark that breathes has the whole page drawn sixty times a second, which nobody looks at."""
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--no-first-run",
]  # fmt: skip


async def picture(page: Page, name: str, *, full_page: bool = False) -> None:
    """Keep a picture for whoever wants to look: `FIRENET_SCREENSHOTS=/a/folder`. No test compares pictures."""
    if folder := os.environ.get("FIRENET_SCREENSHOTS"):
        await page.screenshot(path=Path(folder, f"{name}.png"), full_page=full_page)

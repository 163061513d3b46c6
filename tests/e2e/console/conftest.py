from collections.abc import AsyncIterator

import pytest_asyncio
from playwright.async_api import Browser as Chromium
from playwright.async_api import async_playwright

from tests.e2e.console.chromium import CHROMIUM, FLAGS
from tests.integration.console.harness import console_database, empty_scenario, refusals_broker

__all__ = ["console_database", "empty_scenario", "refusals_broker"]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def chromium() -> AsyncIterator[Chromium]:
    """One for the tests of a file; every reader has a context, with cookies and storage of its own."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        await browser.close()

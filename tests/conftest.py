"""Fixtures for every test: the embedded real parts."""

pytest_plugins = ["tests.parts", "tests.containers", "tests.integration.console.stage"]

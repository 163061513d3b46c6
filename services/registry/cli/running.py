"""How a command of the registry runs: its settings, a quiet log, and a refusal as one sentence."""

import asyncio
import sys
from collections.abc import Callable, Coroutine
from typing import Any

from services.registry.app import REFUSED
from services.registry.domain.errors import RegistryError
from services.registry.settings import RegistrySettings
from services.runtime.logging import configure
from services.runtime.settings import load


def run_command(work: Callable[[RegistrySettings], Coroutine[Any, Any, int]]) -> int:
    """Return the exit code of `work`, REFUSED where it raises a RegistryError."""
    settings = load(RegistrySettings)
    configure("registry", "warning" if settings.log_level == "info" else settings.log_level)
    try:
        return asyncio.run(work(settings))
    except RegistryError as error:
        sys.stderr.write(f"{error}\n")
        return REFUSED

"""YAML of our own for tests: packs are read some hundred times, and libyaml reads one in a tenth of the time.

Services read packs with `schemas.strict_yaml`, which has tests of its own.
"""

from typing import Any

import yaml

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read(text: str) -> Any:
    """Return what stands in a document that we wrote."""
    return yaml.load(text, Loader=_LOADER)

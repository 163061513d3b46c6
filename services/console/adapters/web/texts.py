"""The one catalogue of texts, shared by the templates here and the modules in the browser."""

import hashlib
import json
from pathlib import Path

STATIC = Path(__file__).parent / "static"
TEMPLATES = Path(__file__).parent / "templates"
LANGUAGES = ("zh", "en")
THEMES = ("auto", "light", "dark")


def load() -> dict[str, dict[str, str]]:
    """Return every text by key and language."""
    found: dict[str, dict[str, str]] = json.loads((STATIC / "catalogue.json").read_text(encoding="utf-8"))
    return found


def build_id() -> str:
    """Return a name for this very set of static files, so that browsers may keep them for ever."""
    digest = hashlib.sha256()
    for path in sorted(STATIC.rglob("*")):
        if path.is_file():
            digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]

"""Whatever documents refuses, the page has a sentence for it."""

import json
import re
from pathlib import Path

from services.console.domain.errors import DOCUMENT_REASONS

SERVICES = Path(__file__).parents[3] / "services"
CATALOGUE = SERVICES / "console/adapters/web/static/catalogue.json"


def test_every_reason_of_documents_is_known_to_the_page_and_has_words() -> None:
    sources = [path.read_text(encoding="utf-8") for path in (SERVICES / "documents").rglob("*.py")]
    said = {name for text in sources for name in re.findall(r'NotPossible\("(\w+)"\)', text)}
    assert len(said) > 10
    assert said <= DOCUMENT_REASONS
    assert {f"error.document_{name}" for name in DOCUMENT_REASONS} <= json.loads(CATALOGUE.read_text()).keys()

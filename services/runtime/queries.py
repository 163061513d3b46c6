"""Statements in files: each stands in a `*.sql` under a head of its own, `-- name --`, and is loaded once, by name."""

import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

HEAD = re.compile(r"^-- (\w+) --$")
PART = re.compile(r"(?<!\{)\{(\w+)\}(?!\})")


def load_queries(folder: Path) -> Mapping[str, str]:
    """Return the statements of the folder's `*.sql` by name, without their comments.

    `{name}` stands for the statement of that name, such as a list of columns that several share; a name that is in no
    file is left for the caller to fill. Raises ValueError for a name that stands twice, and for text under no head.
    """
    found: dict[str, list[str]] = {}
    for path in sorted(folder.glob("*.sql")):
        lines: list[str] | None = None
        for line in path.read_text(encoding="utf-8").splitlines():
            head = HEAD.match(line)
            if head is not None:
                if head[1] in found:
                    raise ValueError(f"{path.name}: {head[1]} stands twice")
                lines = found[head[1]] = []
            elif line.strip() and not line.lstrip().startswith("--"):
                if lines is None:
                    raise ValueError(f"{path.name}: no name stands over {line.strip()!r}")
                lines.append(line.rstrip())
    texts = {name: "\n".join(lines) for name, lines in found.items()}
    return MappingProxyType({name: _whole(text, texts) for name, text in texts.items()})


def _whole(text: str, texts: Mapping[str, str]) -> str:
    return PART.sub(lambda part: _whole(texts[part[1]], texts) if part[1] in texts else part[0], text)

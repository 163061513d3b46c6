"""What a message says in words."""

MAX_TEXT = 200
"""As many as a signal holds."""


def names_text(names: tuple[str, ...]) -> str:
    return ", ".join(names)[:MAX_TEXT]

"""Foreign text where only one line of ours may stand."""


def one_line(text: object) -> str:
    """Return the text without line breaks and other control characters: it can add no line, and become no header."""
    return " ".join("".join(one if one.isprintable() else " " for one in str(text)).split())

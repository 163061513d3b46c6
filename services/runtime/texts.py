"""Foreign text where only one line of ours may stand."""


def one_line(text: object) -> str:
    """Return the text without line breaks and other control characters: it can add no line, and become no header."""
    said = str(text)
    if not said.isprintable():  # rare, and asked of every text of every notice
        said = "".join(one if one.isprintable() else " " for one in said)
    return " ".join(said.split())

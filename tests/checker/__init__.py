"""The pure checker behind chaos tests: what was sent, what stands on the topics and in the database, what was heard.

No I/O: every function takes what somebody else has read and returns one sentence per thing that is wrong.
"""

from collections.abc import Iterable

MOST_EXAMPLES = 5


def told(rule: str, found: Iterable[object]) -> list[str]:
    """Return one sentence for a broken rule with its first examples; none when nothing was found."""
    every = list(found)
    if not every:
        return []
    examples = ", ".join(str(one) for one in every[:MOST_EXAMPLES])
    more = "" if len(every) <= MOST_EXAMPLES else f" and {len(every) - MOST_EXAMPLES} more"
    return [f"{rule}: {len(every)} ({examples}{more})"]

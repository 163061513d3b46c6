"""The pure checker behind chaos tests: what was sent, what stands on the topics and in the database, what was heard.

No I/O: every function takes what somebody else has read and returns one sentence per thing that is wrong, or accounts.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

MAX_EXAMPLES = 5


def told(rule: str, found: Iterable[object]) -> list[str]:
    """Return one sentence for a broken rule with its first examples; none when nothing was found."""
    every = list(found)
    if not every:
        return []
    examples = ", ".join(str(one) for one in every[:MAX_EXAMPLES])
    more = "" if len(every) <= MAX_EXAMPLES else f" and {len(every) - MAX_EXAMPLES} more"
    return [f"{rule}: {len(every)} ({examples}{more})"]


@dataclass(frozen=True, slots=True)
class Account:
    """One line of the final account: `checked` things were looked at, `found` are those that are not as they should.

    `counts` False: named apart, and no fault (what a broker without durability lost when it was killed).
    """

    rule: str
    checked: int
    found: Sequence[object]
    counts: bool = True

    @property
    def is_broken(self) -> bool:
        return self.counts and bool(self.found)

    def lines(self, most: int) -> list[str]:
        """Return the account for people: the count, and the first `most` of what is wrong."""
        mark = "WRONG" if self.is_broken else "-" if self.found else "ok"
        head = f"{mark:5}  {len(self.found):6} of {self.checked:7}  {self.rule}"
        shown = [f"{'':25}{one}" for one in self.found[:most]]
        left = len(self.found) - len(shown)
        return [head, *shown, *([f"{'':25}and {left} more"] if left else [])]

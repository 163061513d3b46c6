"""A duty to test, and when the unit last sent one: what `test_overdue` is decided by (docs/domain/figures.md, R45)."""

from services.rules.domain.facts import DutyToTest


class Testing:
    """Of a unit that has, or had, a duty to test.

    `last`: when the last test was received. `since`: from when on the unit has had this very duty without a break, as
    far as was known. `timer`: the instant of its entry on the agenda. Instants are 0 where there is none.
    """

    __slots__ = ("duty", "last", "since", "timer")

    def __init__(self, duty: DutyToTest | None = None, since: int = 0, last: int = 0) -> None:
        self.duty = duty
        self.since = since
        self.last = last
        self.timer = 0

    def due_at(self, clear_since: int | None) -> int | None:
        """Return after which instant the test is overdue; None while that cannot be decided.

        All of the time since must be time in which the duty held and we looked: a test in our blindness may have been
        missed, and that is never held against the unit.
        """
        if self.duty is None or clear_since is None:
            return None
        return max(self.last, self.since, clear_since) + self.duty.deadline

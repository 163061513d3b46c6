"""Which units a checkpoint has to write: those whose saved state is out of date, those whose stored row is."""

from services.rules.domain.unit.state import Unit


class Changes:
    """Units of one partition that changed since the last checkpoint, each once, in the order in which they did.

    A mark stands on the unit itself too, so that the many records of a unit that is listed cost no look-up.
    """

    def __init__(self) -> None:
        self.touched: list[Unit] = []
        self.rows: list[Unit] = []

    def touch(self, unit: Unit) -> None:
        """The saved state of `unit` is out of date."""
        if not unit.touched:
            unit.touched = True
            self.touched.append(unit)

    def touch_row(self, unit: Unit) -> None:
        """The stored row of `unit` is out of date, and so its saved state: the next row is compared with that."""
        if not unit.row_changed:
            unit.row_changed = True
            self.rows.append(unit)
            self.touch(unit)

    def clear(self) -> None:
        """Everything was taken into a checkpoint."""
        for unit in self.touched:
            unit.touched = False
        for unit in self.rows:
            unit.row_changed = False
        self.touched, self.rows = [], []

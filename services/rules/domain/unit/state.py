"""State of one unit: four values, each with what it needs to know of itself alone."""

from collections.abc import Mapping

from services.kernel.duty import shown
from services.kernel.words import Connection, Duty, FindingKind, Health
from services.rules.domain.rate import NO_GROUP
from services.rules.domain.unit.connection import Link, UnitConnection
from services.rules.domain.unit.deduplication import Deduplication
from services.rules.domain.unit.health import Condition
from services.rules.domain.unit.registration import Registration
from services.rules.domain.unit.repeats import Repeats
from services.rules.domain.unit.testing import Testing

_NO_FINDINGS: Mapping[FindingKind, str] = {}
"""One for all units: nearly all are well."""


class Unit:
    """`findings` holds the ids of its open problems by kind; `counter_group` is where it counts.

    `touched` and `row_changed` are marks of `Changes`.
    """

    __slots__ = (
        "condition", "connection", "counter_group", "deduplication", "findings", "registration", "repeats",
        "row_changed", "testing", "touched", "unit_id",
    )  # fmt: skip

    def __init__(self, unit_id: str) -> None:
        self.unit_id = unit_id
        self.registration = Registration()
        self.connection = UnitConnection()
        self.condition = Condition()
        self.deduplication = Deduplication()
        self.findings: Mapping[FindingKind, str] = _NO_FINDINGS
        self.testing: Testing | None = None  # until a pack asks for tests
        self.repeats: Repeats | None = None  # until a component begins a trouble that a pack counts
        self.counter_group = NO_GROUP
        self.touched = False
        self.row_changed = False

    def link(self, gateway_id: str) -> Link:
        """Return the link of a gateway, made now if it is new."""
        connection = self.connection
        found = connection.link(gateway_id)
        if found is None:
            found = Link(self.registration, gateway_id)
            connection.links = (*connection.links, found)
            # As the roster does it: who is not registered counts as long as nobody counts who is.
            names = self.registration.names
            if not names(gateway_id) and not any(names(one.gateway_id) for one in connection.scoped):
                connection.scoped = (*connection.scoped, found)
        return found

    def open_finding(self, kind: FindingKind, problem_id: str) -> None:
        """Keep the id of an open problem."""
        self.findings = {**self.findings, kind: problem_id}

    def close_finding(self, kind: FindingKind) -> str | None:
        """Forget the open problem of this kind; return its id, None when there is none."""
        problem_id = self.findings.get(kind)
        if problem_id is not None:
            left = {known: each for known, each in self.findings.items() if known is not kind}
            self.findings = left or _NO_FINDINGS
        return problem_id

    def wanted_health(self) -> Health:
        """Return the gravest thing that its open points say; UNKNOWN before its first word."""
        return self.condition.of_points(heard=bool(self.connection.last_proof()))

    def wanted_connection(self) -> tuple[Connection, Connection, bool]:
        """Return the state that its links add up to, the one to be shown, and whether that is partly connected."""
        of_links, partly = self.connection.of_links()
        duty = self.registration.duty
        if duty is Duty.DUE:
            return of_links, of_links, partly
        return of_links, shown(duty, of_links, heard=self.connection.heard()), False

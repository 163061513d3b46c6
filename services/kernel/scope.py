"""Who is counted: a scope of a policy pack, and whether what is known of a unit meets it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Scope:
    """A unit is a member when each group has a fact that is true of it; by its acceptance, only once it is accepted."""

    groups: tuple[frozenset[str], ...]
    from_acceptance: bool
    clause: str

    def holds(self, facts: frozenset[str], *, accepted: bool) -> bool:
        """Tell whether a unit that is not retired is a member; `accepted`: its building is, by the day asked about."""
        return (accepted or not self.from_acceptance) and all(group & facts for group in self.groups)

"""Who does something with a case."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Who:
    """`body_code` None takes a case, and may every one (brigade, centre); any other body signs for its own."""

    account: str
    body_code: str | None
    via: str

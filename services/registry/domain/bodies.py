"""Bodies of a district that can be told."""

from dataclasses import dataclass

from services.kernel.words import BodyKind


@dataclass(frozen=True, slots=True)
class Body:
    """A department, street, town or other body, with the clause that gives it its duty."""

    code: str
    kind: BodyKind
    name_zh: str
    name_en: str
    matters: str
    clause: str

    @property
    def id(self) -> str:
        return self.code

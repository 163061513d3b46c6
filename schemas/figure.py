"""`firenet.figures.v1`: figures of closed periods, revision by revision."""

from typing import Literal

from pydantic import AwareDatetime, ConfigDict, Field, JsonValue

from schemas.base import Event, PackRef, ShortText, Wire
from services.kernel.words import Period

Count = int


class FigureTarget(Wire):
    id: str
    op: str
    value: str
    due: str
    clause: str


class FigureBody(Wire):
    """A figure as `python -m services.compliance figures` answers it (docs/domain/figures.md, section 7)."""

    model_config = ConfigDict(populate_by_name=True, serialize_by_alias=True)

    metric: str
    scope: str
    slice: dict[str, str]
    unit: str | None
    from_: AwareDatetime = Field(alias="from")
    to: AwareDatetime
    through: AwareDatetime
    complete: bool
    closed: bool
    counts: str
    numerator: Count
    denominator: Count
    unknown: Count
    exempt: Count
    value: str | None
    low: str | None
    high: str | None
    verdict: str
    reason: str
    target: FigureTarget | None
    clause: str | None
    pack: PackRef
    packs: tuple[PackRef, ...]
    detail: dict[str, JsonValue]


class FigureData(Wire):
    """A figure of a closed period was published, or published anew.

    `revision` counts from 1. `known_at`: the figure is that of a log cut there. `difference`: old and new value of each
    field that is another than in the revision before.
    """

    metric: ShortText
    scope: str = Field(max_length=400)
    slice_kind: Literal["district", "town", "community", "category", "department", "unit"]
    slice_id: str = Field(max_length=400)
    period_kind: Period
    period_from: AwareDatetime
    period_to: AwareDatetime
    revision: int = Field(ge=1)
    known_at: AwareDatetime
    difference: dict[str, tuple[JsonValue, JsonValue]]
    figure: FigureBody


class FigurePublished(Event[FigureData]):
    """source `/compliance`, subject = slice id = record key, id derived from what it is of and its revision."""

    type: Literal["cn.firenet.figure.v1"] = "cn.firenet.figure.v1"

"""`firenet.listings.v1`: what was done with listings for supervision (挂牌督办), act by act."""

from typing import Literal

from pydantic import AwareDatetime, Field

from schemas.base import Event, Identifier, Wire
from services.kernel.words import ListingAct


class ListingActedData(Wire):
    """One act. `number` counts those of a listing from 1, so that a second copy is known.

    `due_at`: when the deadline passes, as it stands after the act; null before the authority has listed. `district`,
    `town` and `lead_department` are those of the case. No text, no account and no file leaves the database.
    """

    listing_id: Identifier
    number: int = Field(ge=1, le=1000)
    act: ListingAct
    case_id: Identifier
    unit_id: Identifier
    district: Identifier | None = None
    town: Identifier | None = None
    lead_department: Identifier | None = None
    due_at: AwareDatetime | None = None


class ListingActed(Event[ListingActedData]):
    """source `/alerts`, subject = `LISTING/NUMBER` = record key, time = when it was done, id from both.

    The topic is compacted. Two acts have one key only where the database was put back in between: then the later holds.
    """

    type: Literal["cn.firenet.listing_acted.v1"] = "cn.firenet.listing_acted.v1"

"""What the registry says of one unit as of the watermark."""

from services.kernel.words import Connection
from services.rules.domain.facts import DEFAULT_PROFILE, NO_PACK, GatewayVersion, PackVersion, Profile, UnitVersion


class Registration:
    """Read by the roster; nothing of it is saved but `key`, the rest comes from the registry's topic.

    `facts` is None until the unit is listed: its gateways may speak before. `versions` and `gateways` hold all versions
    by which that is decided, `known_at` is when the registry first recorded the unit. `mask` is EXEMPT or RETIRED while
    the facts say so; the links are followed underneath. `key` names the facts that the stored row shows.
    """

    __slots__ = (
        "carriers", "commissioned", "facts", "gateways", "key", "known_at", "mask", "pack", "profile", "scopes",
        "versions",
    )  # fmt: skip

    def __init__(self) -> None:
        self.versions: tuple[UnitVersion, ...] = ()
        self.gateways: dict[str, tuple[GatewayVersion, ...]] = {}
        self.known_at = 0
        self.facts: UnitVersion | None = None
        self.pack: PackVersion = NO_PACK
        self.profile: Profile = DEFAULT_PROFILE
        self.scopes: tuple[str, ...] = ()
        self.carriers: tuple[str, ...] = ()
        self.mask: Connection | None = None
        self.commissioned = False
        self.key = ""

"""What the registry says of one unit as of the watermark."""

from services.kernel.words import Duty
from services.rules.domain.facts import (
    DEFAULT_PROFILE,
    NO_PACK,
    AdjustmentVersion,
    DutyToTest,
    GatewayVersion,
    PackVersion,
    Profile,
    UnitVersion,
    excused,
)


class Registration:
    """Read by the roster; nothing of it is saved but `key`, the rest comes from the registry's topic.

    `facts` is None until the unit is listed: its gateways may speak before. `versions` and `gateways` hold all versions
    by which that is decided, by gateway and in their order; `known_at` is when the registry first recorded the unit.
    `adjustments`: by id, what lets the unit off to the minute.
    `duty` is what all of them say of it, `written_duty` what the last transition said (None before the first), detected
    at `duty_detected`. `key` names the facts that the stored row shows.
    """

    __slots__ = (
        "adjustments",
        "carriers",
        "commissioned",
        "duty",
        "duty_detected",
        "facts",
        "gateways",
        "key",
        "known_at",
        "pack",
        "profile",
        "scopes",
        "test_duty",
        "versions",
        "written_duty",
    )  # fmt: skip

    def __init__(self) -> None:
        self.versions: tuple[UnitVersion, ...] = ()
        self.gateways: tuple[tuple[str, tuple[GatewayVersion, ...]], ...] = ()
        self.adjustments: dict[str, tuple[AdjustmentVersion, ...]] | None = None  # few units have any
        self.known_at = 0
        self.facts: UnitVersion | None = None
        self.pack: PackVersion = NO_PACK
        self.profile: Profile = DEFAULT_PROFILE
        self.scopes: tuple[str, ...] = ()
        self.test_duty: DutyToTest | None = None
        self.carriers: tuple[str, ...] = ()
        self.duty = Duty.COMMISSIONING
        self.written_duty: Duty | None = None
        self.duty_detected = 0
        self.commissioned = False
        self.key = ""

    def names(self, gateway_id: str) -> bool:
        """Return whether the registry has the gateway, as one of this unit at some time."""
        return any(known == gateway_id for known, _ in self.gateways)

    def put_adjustment(self, adjustment_id: str, versions: tuple[AdjustmentVersion, ...]) -> None:
        self.adjustments = {**(self.adjustments or {}), adjustment_id: versions}

    def excused(self, at: int) -> bool:
        """Return whether an approved adjustment lets the unit off at `at`, by what was known then."""
        if self.adjustments is None:
            return False
        return any(excused(versions, at) for versions in self.adjustments.values())

    def put_gateway(self, gateway_id: str, versions: tuple[GatewayVersion, ...]) -> None:
        if not self.gateways:
            self.gateways = ((gateway_id, versions),)
            return
        self.gateways = tuple(sorted({**dict(self.gateways), gateway_id: versions}.items(), key=lambda each: each[0]))

"""The points that frames speak of: a system as such, one of its components, the transmission device itself."""

from services.ingest.domain.gb26875 import ComponentAddress, DeviceProfile, bodies
from services.ingest.domain.gb26875.tables import component_type_term, system_type_term
from services.ingest.domain.values import Point

DEVICE_SYSTEM = "uitd"
"""The transmission device itself, beside the systems it reports on."""

WHOLE = "system"
"""The address of a system as such: it does not speak for its components."""

MANUAL_ALARM = "manual_alarm"
MANUAL_ALARM_KEY = "manual_alarm_key"

_DEVICE_LABEL = "用户信息传输装置"


def _system(system_type: int, system_addr: int) -> str:
    return f"{system_type}.{system_addr}"


def system_point(system_type: int, system_addr: int, address: str = WHOLE) -> Point:
    term = system_type_term(system_type)
    return Point(address, _system(system_type, system_addr), term.name, term.label)


def device_point(address: str = WHOLE) -> Point:
    return Point(address, DEVICE_SYSTEM, DEVICE_SYSTEM, _DEVICE_LABEL)


def component_point(
    body: bodies.ComponentStatus | bodies.AnalogValue | bodies.ComponentConfig, profile: DeviceProfile, label: str = ""
) -> Point:
    """Return the point of a component. Its type is no part of its name: queries address it without (types 62 to 67)."""
    term = component_type_term(body.component_type)
    address = component_name(body.component_addr, profile)
    return Point(address, _system(body.system_type, body.system_addr), term.name, label or term.label)


def component_name(address: ComponentAddress, profile: DeviceProfile) -> str:
    """Return a component's address as people say it: "zone-point", "circuit-node", or the plain number."""
    parts = dict(address.parts(profile.component_order))
    if not parts:
        return str(address.u32_le)
    if "zone" in parts:
        return f"{parts['zone']}-{parts['point']}"
    return f"{parts['circuit']}-{parts['node']}"

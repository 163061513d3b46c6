"""The topics that gateways publish on: `firenet/v1/{gateway_id}/...`."""

import re
from functools import lru_cache

from services.ingest.domain.values import Format, Route
from services.kernel.words import Lane, Transport

ROOT = "firenet"
VERSION = "v1"

_GATEWAY_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


_BRANCHES: dict[tuple[str, ...], Route] = {
    ("up", "json"): Route(Lane.UP, Transport.MQTT_JSON, Format.JSON),
    ("alarm", "json"): Route(Lane.ALARM, Transport.MQTT_JSON, Format.JSON),
    ("up", "gb26875"): Route(Lane.UP, Transport.MQTT_GB26875, Format.GB26875),
    ("alarm", "gb26875"): Route(Lane.ALARM, Transport.MQTT_GB26875, Format.GB26875),
    ("status",): Route(Lane.STATUS, Transport.MQTT_JSON, Format.STATUS),
}

MAIN_FILTERS = (f"{ROOT}/{VERSION}/+/up/+", f"{ROOT}/{VERSION}/+/status")
FIRE_FILTERS = (f"{ROOT}/{VERSION}/+/alarm/+",)


@lru_cache(maxsize=65536)
def split_topic(topic: str) -> tuple[str, Route] | None:
    """Return the claimed gateway id and the route, or None when the topic is none of ours.

    The id is taken as it stands: whoever finds it in the directory knows that it is well formed; for all others
    there is `claimed_gateway`.
    """
    parts = topic.split("/")
    if len(parts) < 4 or parts[0] != ROOT or parts[1] != VERSION:
        return None
    route = _BRANCHES.get(tuple(parts[3:]))
    return None if route is None else (parts[2], route)


def answer_topic(topic: str) -> str | None:
    """Return where the gateway that published on `topic` reads what it is answered, None when that is no gateway."""
    gateway_id = claimed_gateway(topic)
    branch = topic.rpartition("/")[2]
    return None if gateway_id is None else f"{ROOT}/{VERSION}/{gateway_id}/down/{branch}"


def control_topic(gateway_id: str) -> str:
    """Return where a gateway reads the GB/T 26875.3 frames that we begin."""
    return f"{ROOT}/{VERSION}/{gateway_id}/down/{Format.GB26875}"


def is_alarm_branch(topic: str) -> bool:
    """Say whether a topic is below the branch for alarms of some gateway, however it goes on."""
    parts = topic.split("/")
    return len(parts) > 3 and parts[0] == ROOT and parts[1] == VERSION and parts[3] == Lane.ALARM


def claimed_gateway(topic: str) -> str | None:
    """Return the gateway id that a topic claims, None when that place holds nothing that could be one."""
    parts = topic.split("/")
    if len(parts) < 3 or parts[0] != ROOT or parts[1] != VERSION or _GATEWAY_ID.fullmatch(parts[2]) is None:
        return None
    return parts[2]

"""Records of firenet.signals.v1 to inputs of the engine.

Heartbeats and ticks are nearly all of the traffic. What our own encoder writes for them is recognised by one compiled
pattern, which is several times cheaper than building the wire model; anything that does not fit goes through the codec.
A test holds both ways equal.
"""

import json
import re
from base64 import b64encode
from datetime import datetime
from typing import Any

from schemas import codec
from schemas.gateway import EVERY_COMPONENT, Point
from schemas.signal import Signal as WireSignal
from schemas.signal import Tick, TickState
from services.kernel.words import Flag, SignalKind
from services.rules.domain.inputs import Heartbeat, Input, Signal
from services.rules.domain.inputs import Tick as DomainTick
from services.rules.domain.time.instants import micros
from services.rules.ports import Refused

UNDECODABLE = "undecodable"
MAX_RAW_SHOWN = 4096
"""Bytes of a salvaged payload that are stored beside its signal; the log has them all."""

_ID = r"([A-Za-z0-9][A-Za-z0-9_.-]{0,63})"
_SECOND = r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)"
_TIME = rf"{_SECOND}(?:\.(\d{{1,6}})|)Z"
_TEXT = r"([ !#-\[\]-~]{1,128})"
_SAID = r'"[^"\\\x00-\x1f]{%s}"'
_NAME = _SAID % "0,64"
_HEARTBEAT = re.compile(
    rf'{{"specversion":"1\.0","id":"{_TEXT}","source":"/gateways/[A-Za-z0-9_./-]{{1,117}}",'
    rf'"subject":"[ !#-\[\]-~]{{0,128}}","time":"{_TIME}","datacontenttype":"application/json",'
    rf'"data":{{"gateway_id":"{_ID}","unit_id":"{_ID}","kind":"heartbeat","carrier":"(?:mqtt_json|mqtt_gb26875|tcp_gb26875|udp_gb26875)",'
    rf'"lane":"(?:up|alarm|status)","instance":"[A-Za-z0-9][A-Za-z0-9_.-]{{0,63}}",'
    rf'(?:"seq":(?:0|[1-9]\d{{0,15}}),|)(?:"occurred_at":"{_SECOND}(?:\.\d{{1,6}}|)(?:Z|\+08:00)",|)'
    rf'(?:"point":\{{"address":{_SAID % "1,64"}(?:,"system":{_NAME}|)(?:,"type":{_NAME}|)'
    rf'(?:,"label":{_SAID % "0,200"}|)\}},|)(?:"text":{_SAID % "0,200"},|)'
    rf'"flags":\[((?:"(?:clock_ahead|clock_behind|no_device_time|redelivered)"'
    rf'(?:,"(?:clock_ahead|clock_behind|no_device_time|redelivered)")*|))\]}},"type":"cn\.firenet\.signal\.v1"}}',
    re.ASCII,
).fullmatch
"""`(?:x|)` costs less than `(?:x)?`."""

_REDELIVERED = Flag.REDELIVERED.value

_SECONDS: dict[str, int] = {}
_MAX_SECONDS = 10_000
"""Hours of the log: records of one time come together. Each takes some 200 bytes, and a day of them 17 MB."""


def _second(text: str) -> int:
    """Return the instant of a whole second; most records share theirs with many others. Raises ValueError."""
    known = _SECONDS.get(text)
    if known is None:
        if len(_SECONDS) >= _MAX_SECONDS:
            _SECONDS.clear()
        known = _SECONDS[text] = micros(datetime.fromisoformat(text + "+00:00"))
    return known


class SignalDecoder:
    """Implements ports.Decoder."""

    def decode(self, value: bytes, offset: int) -> Input:
        """Return what the record says. Raises Refused with reason `undecodable`."""
        beat = self.heartbeat(value, offset)
        return beat if beat is not None else self.any_record(value, offset)

    def heartbeat(self, value: bytes, offset: int) -> Heartbeat | None:
        """Return a live heartbeat in the very form that our encoder writes; None for anything else."""
        try:
            found = _HEARTBEAT(value.decode())
            if found is None:
                return None
            signal_id, second, fraction, gateway_id, unit_id, occurred, flags = found.groups()
            if occurred is not None:
                _second(occurred)
            at = _second(second)
        except ValueError:
            return None
        if fraction is not None:
            at += int(fraction) * 10 ** (6 - len(fraction))
        return Heartbeat(unit_id, gateway_id, signal_id, at, offset, bool(flags) and _REDELIVERED in flags)

    def any_record(self, value: bytes, offset: int) -> Input:
        """Return what any record of the topic says, by its wire model. Raises Refused."""
        try:
            event = codec.signals.decode(value)
        except codec.BadRecord as error:
            raise Refused(UNDECODABLE, error.detail) from error
        return _tick(event, offset) if isinstance(event, Tick) else _signal(event, offset)


def _tick(event: Tick, offset: int) -> DomainTick:
    data = event.data
    return DomainTick(
        data.instance,
        data.epoch,
        data.number,
        data.state is TickState.LEAVING,
        micros(data.proven_until),
        micros(event.time),
        offset,
    )


def _signal(event: WireSignal, offset: int) -> Input:
    data = event.data
    received_at = micros(event.time)
    retained = Flag.RETAINED in data.flags
    redelivered = Flag.REDELIVERED in data.flags
    replayed = Flag.REPLAYED in data.flags
    reconnected = Flag.RECONNECTED in data.flags
    if data.kind is SignalKind.HEARTBEAT and not (retained or replayed or reconnected):
        return Heartbeat(data.unit_id, data.gateway_id, event.id, received_at, offset, redelivered)
    return Signal(
        unit_id=data.unit_id,
        gateway_id=data.gateway_id,
        signal_id=event.id,
        kind=data.kind.value,
        received_at=received_at,
        offset=offset,
        occurred_at=0 if data.occurred_at is None else micros(data.occurred_at),
        clock_behind=Flag.CLOCK_BEHIND in data.flags,
        clock_ahead=Flag.CLOCK_AHEAD in data.flags,
        retained=retained,
        redelivered=redelivered,
        replayed=replayed,
        first_received_at=0 if data.first_received_at is None else micros(data.first_received_at),
        reconnected=reconnected and not (retained or replayed),
        missing=data.missing or 0,
        seq=data.seq,
        point=point_key(data.point),
        restores=data.restores.value if data.restores is not None else "",
        system=system_key(data.point) if data.restores is not None else "",
        body=_body(event),
        content=data.content or "",
    )


def point_key(point: Point | None) -> str:
    """Return a name that is the same for the same component of the same system, "" for the whole unit.

    Names of one system begin alike: that is how the end of a whole system's troubles finds them.
    """
    return "" if point is None else json.dumps([point.system or "", point.address], ensure_ascii=False)


def component_of(key: str) -> tuple[str, str]:
    """Return system and address of the component that `point_key` named so; both "" for the whole unit."""
    if not key:
        return "", ""
    system, address = json.loads(key)
    return system, address


def system_key(point: Point | None) -> str:
    """Return how the keys of all components of a system begin when the point stands for all of them, else ""."""
    if point is None or point.address != EVERY_COMPONENT:
        return ""
    return json.dumps([point.system or ""], ensure_ascii=False)[:-1] + ", "


def point_in(body: str) -> Point | None:
    """Return the component that a signal's stored body names, with its label."""
    found = json.loads(body).get("point") if body else None
    return None if found is None else Point.model_validate(found, extra="ignore")


def _body(event: WireSignal) -> str:
    """Return what is stored beside the columns, as JSON."""
    data = event.data
    body: dict[str, Any] = {"carrier": data.carrier.value, "lane": data.lane.value, "flags": list(data.flags)}
    for name in ("point", "measurement"):
        part = getattr(data, name)
        if part is not None:
            body[name] = part.model_dump(exclude_none=True)
    if data.restores is not None:
        body["restores"] = data.restores.value
    if data.text is not None:
        body["text"] = data.text
    if data.missing is not None:
        body["missing"] = data.missing
    if data.frame is not None:  # the raw frame stays on the log; what it says of this signal is all in `said`
        body["frame"] = data.frame.model_dump(exclude={"raw"}, exclude_none=True)
    body |= _unread(event)
    if data.first_received_at is not None:
        body["first_received_at"] = data.first_received_at.isoformat()
    return json.dumps(body, ensure_ascii=False)


def _unread(event: WireSignal) -> dict[str, Any]:
    """Return what a person needs who looks at a message that was read carefully, or not at all."""
    data = event.data
    found: dict[str, Any] = {name: getattr(data, name) for name in ("notes", "refusal_id") if getattr(data, name)}
    if data.raw is not None:
        found["raw"] = b64encode(data.raw[:MAX_RAW_SHOWN]).decode()
    return found

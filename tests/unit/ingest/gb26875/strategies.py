"""Hypothesis strategies for every value of the codec, built as `decode_frame` would build them."""

from datetime import datetime
from functools import cache

from hypothesis import strategies as st

from services.ingest.domain.gb26875 import (
    PROFILES,
    Adu,
    ComponentAddress,
    DeviceProfile,
    Frame,
    RawAdu,
    Text,
    TimeLabel,
)
from services.ingest.domain.gb26875 import bodies as b
from services.ingest.domain.gb26875.bodies import Body
from services.ingest.domain.gb26875.layout import MAX_RECORDS, TYPES
from services.ingest.domain.gb26875.values import DESCRIPTION_SIZE, read_label, read_text

BYTE = st.integers(0, 0xFF)
WORD = st.integers(0, 0xFFFF)
PROFILE = st.sampled_from(sorted(PROFILES.values(), key=lambda profile: profile.name))


@cache
def labels(profile: DeviceProfile) -> st.SearchStrategy[TimeLabel]:
    real = st.datetimes(datetime(2000, 1, 1), datetime(2099, 12, 31, 23, 59, 59)).map(  # noqa: DTZ001
        lambda at: TimeLabel.of(at, profile)
    )
    return real | raw(6).map(lambda value: read_label(value, profile.time_coding))


def raw(size: int) -> st.SearchStrategy[bytes]:
    return st.binary(min_size=size, max_size=size)


def _padded(value: bytes) -> bytes:
    return value[:DESCRIPTION_SIZE].ljust(DESCRIPTION_SIZE, b"\x00")


@cache
def descriptions(profile: DeviceProfile) -> st.SearchStrategy[Text]:
    chinese = st.text("一二层走廊感烟@#3 ", max_size=18).map(lambda value: _padded(value.encode("gb18030")))
    return (chinese | raw(DESCRIPTION_SIZE)).map(lambda value: read_text(value))


@cache
def texts(profile: DeviceProfile) -> st.SearchStrategy[Text]:
    return st.binary(max_size=255).map(lambda value: read_text(value))


@cache
def objects(code: int, profile: DeviceProfile) -> st.SearchStrategy[Body]:
    """Objects of one type, each field over its whole range."""
    label = labels(profile)
    address = raw(4).map(ComponentAddress)
    text = descriptions(profile)
    records = st.integers(0, MAX_RECORDS)
    shapes: dict[type[Body], st.SearchStrategy[Body]] = {
        b.SystemStatus: st.builds(b.SystemStatus, BYTE, BYTE, WORD, label),
        b.ComponentStatus: st.builds(b.ComponentStatus, BYTE, BYTE, BYTE, address, WORD, text, label),
        b.AnalogValue: st.builds(
            b.AnalogValue, BYTE, BYTE, BYTE, address, BYTE, st.integers(-(1 << 15), (1 << 15) - 1), label
        ),
        b.OperationRecord: st.builds(b.OperationRecord, BYTE, BYTE, BYTE, BYTE, label),
        b.SystemVersion: st.builds(b.SystemVersion, BYTE, BYTE, BYTE, BYTE),
        b.SystemConfig: st.builds(b.SystemConfig, BYTE, BYTE, texts(profile)),
        b.ComponentConfig: st.builds(b.ComponentConfig, BYTE, BYTE, BYTE, address, text),
        b.SystemClock: st.builds(b.SystemClock, BYTE, BYTE, label),
        b.DeviceStatus: st.builds(b.DeviceStatus, BYTE, label),
        b.DeviceOperation: st.builds(b.DeviceOperation, BYTE, BYTE, label),
        b.DeviceVersion: st.builds(b.DeviceVersion, BYTE, BYTE),
        b.DeviceConfig: st.builds(b.DeviceConfig, texts(profile)),
        b.DeviceClock: st.builds(b.DeviceClock, label),
        b.ReadSystem: st.builds(b.ReadSystem, BYTE, BYTE),
        b.ReadComponent: st.builds(b.ReadComponent, BYTE, BYTE, address),
        b.ReadSystemRecords: st.builds(b.ReadSystemRecords, BYTE, BYTE, records, label),
        b.DeviceRequest: st.builds(b.DeviceRequest, BYTE),
        b.ReadDeviceRecords: st.builds(b.ReadDeviceRecords, records, label),
        b.SetClock: st.builds(b.SetClock, label),
        b.DutyCheck: st.builds(b.DutyCheck, BYTE),
    }
    return shapes[TYPES[code].body]


@cache
def adus(code: int, profile: DeviceProfile) -> st.SearchStrategy[Adu]:
    """Data units of one type, few objects or as many as the limit allows, within the profile's size."""
    spec = TYPES[code]
    size = spec.wire.size + (255 if spec.has_text else 0)
    limit = min(spec.max_count, (profile.adu_limit - 2) // size)
    one = objects(code, profile)
    few = st.lists(one, max_size=min(limit, 3)).map(tuple)
    full = one.map(lambda body: (body,) * limit)
    return st.builds(Adu, st.just(code), few | full)


@cache
def raw_adus(profile: DeviceProfile) -> st.SearchStrategy[RawAdu]:
    codes = st.sampled_from([code for code in range(256) if code not in TYPES])
    limit = profile.adu_limit - 2
    kept = st.builds(
        lambda code, count, body: RawAdu(code, bytes((code, count)) + body), codes, BYTE, st.binary(max_size=limit)
    )
    bare = st.sampled_from(sorted(profile.handshake_adus) + [bytes((code,)) for code in (128, 190, 255)])
    return kept | bare.map(lambda value: RawAdu(value[0], value))


@cache
def frames(profile: DeviceProfile) -> st.SearchStrategy[Frame]:
    """Frames that the profile accepts: every type under the standard commands, raw units under the others."""
    known = st.sampled_from(sorted(TYPES)).flatmap(lambda code: adus(code, profile))
    others = [*sorted(profile.keepalive_commands | profile.registration_commands), 128, 200, 255]
    opaque = st.binary(min_size=1, max_size=profile.adu_limit).map(lambda value: RawAdu(None, value))
    return _frames(st.integers(1, 6), known | raw_adus(profile) | st.none(), profile) | _frames(
        st.sampled_from(others), opaque | st.none(), profile
    )


def frames_with(adu: st.SearchStrategy[Adu], profile: DeviceProfile) -> st.SearchStrategy[Frame]:
    return _frames(st.integers(1, 6), adu, profile)


def _frames(
    command: st.SearchStrategy[int], adu: st.SearchStrategy[Adu | RawAdu | None], profile: DeviceProfile
) -> st.SearchStrategy[Frame]:
    return st.builds(Frame, WORD, BYTE, BYTE, labels(profile), raw(6), raw(6), command, adu)

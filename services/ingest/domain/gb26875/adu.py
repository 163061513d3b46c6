"""The application data unit (8.1): type, count and information objects, read and written."""

from collections.abc import Callable, Mapping
from struct import error as StructError
from typing import Any, NamedTuple

from services.ingest.domain.gb26875 import bodies
from services.ingest.domain.gb26875.bodies import Body
from services.ingest.domain.gb26875.errors import AduError, EncodeError, ErrorCode
from services.ingest.domain.gb26875.layout import MAX_RECORDS, TYPES, TypeSpec, type_name
from services.ingest.domain.gb26875.profile import DeviceProfile
from services.ingest.domain.gb26875.tables import FIRST_USER_CODE
from services.ingest.domain.gb26875.values import (
    COMPONENT_ADDRESS_SIZE,
    DESCRIPTION_SIZE,
    LABEL_SIZE,
    MAX_TEXT,
    ComponentAddress,
    Text,
    TimeLabel,
    read_label,
    read_text,
)

HEAD_SIZE = 2
ADU_OFFSET = 27


class Adu(NamedTuple):
    """A data unit of an assigned type. All objects are of the class that `layout.TYPES` names for it."""

    type: int
    objects: tuple[Body, ...]

    @property
    def type_name(self) -> str:
        return type_name(self.type)

    @property
    def object_count(self) -> int:
        return len(self.objects)


class RawAdu(NamedTuple):
    """A data unit kept as it came: a reserved or user type, or the unit of a user or vendor command.

    `type` is None where the first byte is not known to be a type.
    """

    type: int | None
    raw: bytes

    @property
    def type_name(self) -> str | None:
        return None if self.type is None else type_name(self.type)

    @property
    def object_count(self) -> int | None:
        """The second byte, as received; nothing says that a user type keeps a count there."""
        return self.raw[1] if self.type is not None and len(self.raw) >= HEAD_SIZE else None

    @property
    def body(self) -> bytes:
        """What follows type and count; everything where the type is not known."""
        return self.raw if self.type is None else self.raw[HEAD_SIZE:]


def read_adu(data: bytes, profile: DeviceProfile) -> Adu | RawAdu:
    """Read the data unit of one of the six standard commands.

    Shape:   1 to 1024 bytes.
    Raises:  AduError: ADU_TRUNCATED, COUNT_OVER_LIMIT, SIZE_MISMATCH, RECORD_COUNT_OVER_LIMIT;
             offsets count from the start of the frame. Labels, texts and flags never raise.
    """
    code = data[0]
    plan = _PLANS.get(code)
    if plan is None:
        if len(data) == 1 and code < FIRST_USER_CODE and data not in profile.handshake_adus:
            raise _no_count()
        return RawAdu(code, data)
    if len(data) < HEAD_SIZE:
        raise _no_count()
    count = data[1]
    max_count, size, unpack, read = plan
    if count > max_count:
        message = f"type {code} takes at most {max_count} objects, count is {count}"
        raise AduError(ErrorCode.COUNT_OVER_LIMIT, ADU_OFFSET + 1, message)
    if read is None:
        return Adu(code, _read_text_objects(data, TYPES[code], profile))
    needed = HEAD_SIZE + count * size
    if len(data) != needed:
        message = f"{count} objects of type {code} need {needed} bytes, the data unit has {len(data)}"
        raise AduError(ErrorCode.SIZE_MISMATCH, ADU_OFFSET + min(needed, len(data)), message)
    objects = tuple([read(unpack(data, at), profile) for at in range(HEAD_SIZE, needed, size)])
    return _new(Adu, (code, objects))


def _no_count() -> AduError:
    return AduError(ErrorCode.ADU_TRUNCATED, ADU_OFFSET + 1, "the data unit has no object count")


def write_adu(adu: Adu | RawAdu) -> bytes:
    """Return the bytes of a data unit. Raises EncodeError when a value or the count does not fit the type."""
    if isinstance(adu, RawAdu):
        return _write_raw(adu)
    spec = TYPES.get(adu.type)
    if spec is None:
        raise EncodeError(ErrorCode.WRONG_BODY, 0, f"type {adu.type} has no objects of its own; use RawAdu")
    if adu.object_count > spec.max_count:
        message = f"type {adu.type} takes at most {spec.max_count} objects, got {adu.object_count}"
        raise EncodeError(ErrorCode.COUNT_OVER_LIMIT, 0, message)
    return bytes((adu.type, adu.object_count)) + b"".join([_write_object(spec, body) for body in adu.objects])


def _write_raw(adu: RawAdu) -> bytes:
    if not adu.raw:
        raise EncodeError(ErrorCode.WRONG_BODY, 0, "an empty data unit is written as None")
    if adu.type is not None and adu.raw[0] != adu.type:
        raise EncodeError(ErrorCode.WRONG_BODY, 0, f"type {adu.type} differs from the first raw byte {adu.raw[0]}")
    return adu.raw


def _write_object(spec: TypeSpec, body: Body) -> bytes:
    if type(body) is not spec.body:
        message = f"type {spec.code} holds {spec.body.__name__}, got {type(body).__name__}"
        raise EncodeError(ErrorCode.WRONG_BODY, 0, message)
    values = [_write_value(getattr(body, name)) for name in spec.body._fields]
    tail = b""
    if spec.has_text:
        tail = values[-1]
        values[-1] = len(tail)
    _check_sizes(body)
    try:
        return spec.wire.pack(*values) + tail
    except StructError as error:
        raise EncodeError(ErrorCode.FIELD_RANGE, 0, f"{type(body).__name__}: {error}") from error


def _write_value(value: Any) -> Any:
    return value.raw if isinstance(value, TimeLabel | Text | ComponentAddress) else value


def _check_sizes(body: Body) -> None:
    """Raise where `pack` would pad or cut silently, or where a reader would refuse the value."""
    for name in body._fields:
        value = getattr(body, name)
        limits = _SIZES.get(name)
        if limits is not None and not limits[0] <= len(value.raw) <= limits[1]:
            message = f"{name} has {len(value.raw)} raw bytes, needs {limits[0]} to {limits[1]}"
            raise EncodeError(ErrorCode.FIELD_RANGE, 0, message)
        if name == "record_count" and value > MAX_RECORDS:
            raise EncodeError(ErrorCode.RECORD_COUNT_OVER_LIMIT, 0, f"at most {MAX_RECORDS} records, got {value}")


_SIZES: Mapping[str, tuple[int, int]] = {
    "time": (LABEL_SIZE, LABEL_SIZE),
    "start_time": (LABEL_SIZE, LABEL_SIZE),
    "description": (DESCRIPTION_SIZE, DESCRIPTION_SIZE),
    "component_addr": (COMPONENT_ADDRESS_SIZE, COMPONENT_ADDRESS_SIZE),
    "text": (0, MAX_TEXT),
}


def _read_text_objects(data: bytes, spec: TypeSpec, profile: DeviceProfile) -> tuple[Body, ...]:
    objects: list[Body] = []
    at = HEAD_SIZE
    for index in range(data[1]):
        start = at + spec.wire.size
        end = start + data[start - 1] if start <= len(data) else start
        if end > len(data):
            message = f"object {index + 1} of type {spec.code} needs {end - at} bytes, {len(data) - at} are left"
            raise AduError(ErrorCode.SIZE_MISMATCH, ADU_OFFSET + len(data), message)
        text = read_text(data[start:end])
        if spec.body is bodies.SystemConfig:
            objects.append(bodies.SystemConfig(data[at], data[at + 1], text))
        else:
            objects.append(bodies.DeviceConfig(text))
        at = end
    if at != len(data):
        message = f"{data[1]} objects of type {spec.code} end at byte {at}, the data unit has {len(data)}"
        raise AduError(ErrorCode.SIZE_MISMATCH, ADU_OFFSET + at, message)
    return tuple(objects)


def _checked_records(count: int, offset: int) -> int:
    if count > MAX_RECORDS:
        message = f"at most {MAX_RECORDS} records may be asked for, got {count}"
        raise AduError(ErrorCode.RECORD_COUNT_OVER_LIMIT, ADU_OFFSET + HEAD_SIZE + offset, message)
    return count


_new = tuple.__new__  # of the frequent classes: half the cost of calling the class, which calls this


def _component_status(values: tuple[Any, ...], profile: DeviceProfile) -> Body:
    kind, addr, component, component_addr, word, text, label = values
    address = _new(ComponentAddress, (component_addr,))
    at = read_label(label, profile.time_coding)
    return _new(bodies.ComponentStatus, (kind, addr, component, address, word, read_text(text), at))


def _analog_value(values: tuple[Any, ...], profile: DeviceProfile) -> Body:
    kind, addr, component, component_addr, analog_type, raw_value, label = values
    address = _new(ComponentAddress, (component_addr,))
    at = read_label(label, profile.time_coding)
    return _new(bodies.AnalogValue, (kind, addr, component, address, analog_type, raw_value, at))


_Reader = Callable[[tuple[Any, ...], DeviceProfile], Body]

# One line per class: the values come from its `wire`, in order.
_READERS: Mapping[type[Body], _Reader] = {
    bodies.SystemStatus: lambda v, p: _new(bodies.SystemStatus, (*v[:3], read_label(v[3], p.time_coding))),
    bodies.ComponentStatus: _component_status,
    bodies.AnalogValue: _analog_value,
    bodies.OperationRecord: lambda v, p: bodies.OperationRecord(
        v[0], v[1], v[2], v[3], read_label(v[4], p.time_coding)
    ),
    bodies.SystemVersion: lambda v, _: bodies.SystemVersion(*v),
    bodies.ComponentConfig: lambda v, p: bodies.ComponentConfig(
        v[0], v[1], v[2], ComponentAddress(v[3]), read_text(v[4])
    ),
    bodies.SystemClock: lambda v, p: bodies.SystemClock(v[0], v[1], read_label(v[2], p.time_coding)),
    bodies.DeviceStatus: lambda v, p: _new(bodies.DeviceStatus, (v[0], read_label(v[1], p.time_coding))),
    bodies.DeviceOperation: lambda v, p: bodies.DeviceOperation(v[0], v[1], read_label(v[2], p.time_coding)),
    bodies.DeviceVersion: lambda v, _: bodies.DeviceVersion(*v),
    bodies.DeviceClock: lambda v, p: bodies.DeviceClock(read_label(v[0], p.time_coding)),
    bodies.ReadSystem: lambda v, _: bodies.ReadSystem(*v),
    bodies.ReadComponent: lambda v, _: bodies.ReadComponent(v[0], v[1], ComponentAddress(v[2])),
    bodies.ReadSystemRecords: lambda v, p: bodies.ReadSystemRecords(
        v[0], v[1], _checked_records(v[2], 2), read_label(v[3], p.time_coding)
    ),
    bodies.DeviceRequest: lambda v, _: bodies.DeviceRequest(*v),
    bodies.ReadDeviceRecords: lambda v, p: bodies.ReadDeviceRecords(
        _checked_records(v[0], 0), read_label(v[1], p.time_coding)
    ),
    bodies.SetClock: lambda v, p: bodies.SetClock(read_label(v[0], p.time_coding)),
    bodies.DutyCheck: lambda v, _: bodies.DutyCheck(*v),
}

# What `read_adu` needs of a type, looked up once: limit, size, unpacker, reader (None for texts of their own length).
_PLANS = {
    code: (spec.max_count, spec.wire.size, spec.wire.unpack_from, None if spec.has_text else _READERS[spec.body])
    for code, spec in TYPES.items()
}

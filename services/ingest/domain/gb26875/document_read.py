"""A JSON object back into a frame: the reverse of `document`.

Of two keys for one value the `_raw` one is enough, and so is the other. Everything that merely
explains (names, sets, units) may be left out. What is given must agree with the frame that comes
out of it, so an edit to an explaining field is an error, never silently lost. `checksum`,
`adu_length`, `profile` and `notes` follow from the rest and are not looked at.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, get_type_hints

from services.ingest.domain.gb26875.adu import HEAD_SIZE, Adu, RawAdu
from services.ingest.domain.gb26875.bodies import Body
from services.ingest.domain.gb26875.document import Json, frame_document
from services.ingest.domain.gb26875.errors import DocumentError, EncodeError, ErrorCode
from services.ingest.domain.gb26875.frame import Frame
from services.ingest.domain.gb26875.layout import TYPES
from services.ingest.domain.gb26875.profile import STANDARD, DeviceProfile
from services.ingest.domain.gb26875.values import (
    COMPONENT_ADDRESS_SIZE,
    DESCRIPTION_SIZE,
    LABEL_SIZE,
    ComponentAddress,
    Text,
    TimeLabel,
    address_bytes,
    read_label,
    read_text,
)

_FOLLOWING = frozenset({"checksum", "adu_length", "profile", "notes"})
_TIMES = frozenset({"time_label", "time", "start_time"})


def read_document(document: Mapping[str, Json], profile: DeviceProfile = STANDARD) -> Frame:
    """Return the frame that a JSON object describes.

    Raises:  DocumentError: MISSING_FIELD, BAD_FIELD, UNKNOWN_FIELD, FIELD_CONFLICT, with the path
             of the field; EncodeError when the described frame has no bytes under the profile.
    """
    fields = _Fields(document, "", profile)
    frame = Frame(
        serial=fields.number("serial"),
        version_main=fields.number("version_main", profile.send_version[0]),
        version_user=fields.number("version_user", profile.send_version[1]),
        time_label=fields.label("time_label"),
        source_raw=fields.address("source_addr"),
        dest_raw=fields.address("dest_addr"),
        command=fields.number("command"),
        adu=_read_adu(fields, profile),
    )
    _agree({key: document[key] for key in document if key not in _FOLLOWING}, frame_document(frame, profile), "")
    return frame


def _read_adu(fields: "_Fields", profile: DeviceProfile) -> Adu | RawAdu | None:
    adu = fields.stated("adu")  # null says that there is none; forgotten, an alarm would become a keep-alive
    if adu is None:
        return None
    inner = _Fields(_mapping(adu, "adu"), "adu.", profile)
    rows = inner.stated("objects")
    if not isinstance(rows, Sequence) or isinstance(rows, str):
        raise DocumentError(ErrorCode.BAD_FIELD, "adu.objects", "must be a list")
    objects = [
        _Fields(_mapping(row, f"adu.objects[{index}]"), f"adu.objects[{index}].", profile)
        for index, row in enumerate(rows)
    ]
    code = inner.given.get("type")
    if code is None:
        return RawAdu(None, _raw_rows(objects))
    number = inner.byte("type")
    spec = TYPES.get(number)
    if spec is not None:
        return Adu(number, tuple(_read_body(spec.body, row) for row in objects))
    head = bytes((number,)) if inner.given.get("count") is None else bytes((number, inner.byte("count")))
    body = _raw_rows(objects)
    if body and len(head) < HEAD_SIZE:
        raise DocumentError(ErrorCode.MISSING_FIELD, "adu.count", "raw bytes follow the second byte")
    return RawAdu(number, head + body)


def _raw_rows(objects: Sequence["_Fields"]) -> bytes:
    return b"".join([row.hex("raw") for row in objects])


def _read_body(shape: type[Body], fields: "_Fields") -> Body:
    readers: dict[Any, Callable[[str], object]] = {
        int: fields.number,
        TimeLabel: fields.label,
        Text: fields.text,
        ComponentAddress: fields.component_address,
    }
    build: Callable[..., Body] = shape
    return build(*[readers[kind](name) for name, kind in get_type_hints(shape).items()])


class _Fields:
    """Typed access to one JSON object; every complaint carries the full path of the field."""

    def __init__(self, given: Mapping[str, Json], path: str, profile: DeviceProfile) -> None:
        self.given = given
        self._path = path
        self._profile = profile

    def _bad(self, name: str, message: str) -> DocumentError:
        return DocumentError(ErrorCode.BAD_FIELD, self._path + name, message)

    def _missing(self, name: str) -> DocumentError:
        return DocumentError(ErrorCode.MISSING_FIELD, self._path + name, "is needed")

    def stated(self, name: str) -> Json:
        """Return a value that may be null but not left out."""
        if name not in self.given:
            raise self._missing(name)
        return self.given[name]

    def number(self, name: str, default: int | None = None) -> int:
        value = self.given.get(name, default)
        if value is None:
            raise self._missing(name)
        if not isinstance(value, int) or isinstance(value, bool):
            raise self._bad(name, "must be a whole number")
        return value

    def byte(self, name: str) -> int:
        value = self.number(name)
        if not 0 <= value <= 0xFF:
            raise self._bad(name, f"must be 0 to 255, got {value}")
        return value

    def hex(self, name: str, size: int | None = None) -> bytes:
        value = self.given.get(name)
        if value is None:
            raise self._missing(name)
        try:
            raw = bytes.fromhex(value) if isinstance(value, str) else None
        except ValueError:
            raw = None
        if raw is None or (size is not None and len(raw) != size):
            raise self._bad(name, "must be hex" if size is None else f"must be {size} bytes of hex")
        return raw

    def _has(self, name: str) -> bool:
        return self.given.get(name) is not None

    def label(self, name: str) -> TimeLabel:
        if self._has(f"{name}_raw"):
            return read_label(self.hex(f"{name}_raw", LABEL_SIZE), self._profile.time_coding)
        if not self._has(name):
            raise self._missing(name)
        return TimeLabel.of(self._time(name), self._profile)

    def _time(self, name: str) -> datetime:
        at = _parsed_time(self.given[name])
        if at is None or at.tzinfo is not None:
            raise self._bad(name, "must be an ISO 8601 time without zone")
        return at

    def text(self, name: str) -> Text:
        size = DESCRIPTION_SIZE if name == "description" else None
        if self._has(f"{name}_raw"):
            return read_text(self.hex(f"{name}_raw", size))
        value = self.given.get(name)
        if value is None:
            raise self._missing(name)
        if not isinstance(value, str):
            raise self._bad(name, "must be a text")
        return Text.of(value, self._profile, size)

    def address(self, name: str) -> bytes:
        if self._has(f"{name}_raw"):
            return self.hex(f"{name}_raw", 6)
        try:
            return address_bytes(self.number(name))
        except EncodeError as error:
            raise self._bad(name, error.message) from error

    def component_address(self, name: str) -> ComponentAddress:
        inner = _Fields(_mapping(self.given.get(name), self._path + name), f"{self._path}{name}.", self._profile)
        if inner._has("raw"):
            return ComponentAddress(inner.hex("raw", COMPONENT_ADDRESS_SIZE))
        if inner._has("u32_le"):
            return ComponentAddress(inner._unsigned("u32_le", 4))
        return ComponentAddress(inner._unsigned("word0_le", 2) + inner._unsigned("word1_le", 2))

    def _unsigned(self, name: str, size: int) -> bytes:
        value = self.number(name)
        if not 0 <= value < 1 << 8 * size:
            raise self._bad(name, f"must fit {size} bytes, got {value}")
        return value.to_bytes(size, "little")


def _mapping(value: Json, path: str) -> Mapping[str, Json]:
    if value is None:
        raise DocumentError(ErrorCode.MISSING_FIELD, path, "is needed")
    if not isinstance(value, Mapping):
        raise DocumentError(ErrorCode.BAD_FIELD, path, "must be an object")
    return value


def _parsed_time(value: Json) -> datetime | None:
    try:
        return datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _agree(given: Json, made: Json, path: str) -> None:
    """Raise DocumentError where a given value differs from what the frame says; null agrees with everything."""
    if given is None:
        return
    if isinstance(given, Mapping) and isinstance(made, Mapping):
        for key, value in given.items():
            inner = f"{path}.{key}" if path else key
            if key not in made:
                raise DocumentError(ErrorCode.UNKNOWN_FIELD, inner, "is no field of this object")
            _agree(value, made[key], inner)
    elif isinstance(given, list) and isinstance(made, list) and len(given) == len(made):
        for index, (one, other) in enumerate(zip(given, made, strict=True)):
            _agree(one, other, f"{path}[{index}]")
    elif not _same(given, made, path.rpartition(".")[2]):
        raise DocumentError(ErrorCode.FIELD_CONFLICT, path, f"is {given!r}, but the frame says {made!r}")


def _same(given: Json, made: Json, name: str) -> bool:
    if name == "raw" or name.endswith("_raw"):
        return _unspaced(given) == _unspaced(made)
    if name in _TIMES:
        at = _parsed_time(given)
        return at is not None and at == _parsed_time(made)
    return given == made and isinstance(given, bool) == isinstance(made, bool)


def _unspaced(value: Json) -> Json:
    return "".join(value.split()).upper() if isinstance(value, str) else value

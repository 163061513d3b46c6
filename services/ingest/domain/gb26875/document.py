"""A frame as a JSON object. The field names are a promise to users: add, never rename.

Two keys stand for most values: `x` as read by the profile, `x_raw` the bytes in upper case hex.
`document_read` takes the object back.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from services.ingest.domain.gb26875 import bodies, flags
from services.ingest.domain.gb26875.adu import Adu, RawAdu, write_adu
from services.ingest.domain.gb26875.bodies import Body
from services.ingest.domain.gb26875.frame import Frame, encode_frame
from services.ingest.domain.gb26875.notes import notes, status_flags
from services.ingest.domain.gb26875.profile import STANDARD, AddressForm, DeviceProfile
from services.ingest.domain.gb26875.tables import analog_type_name, component_type_term, system_type_term
from services.ingest.domain.gb26875.values import ComponentAddress, Text, TimeLabel, ipv4_endpoint

Json = str | int | float | bool | None | Sequence["Json"] | Mapping[str, "Json"]
Document = dict[str, Json]


def frame_document(frame: Frame, profile: DeviceProfile = STANDARD) -> Document:
    """Return the JSON object of a frame that can be encoded under the profile.

    Units:   times are the device's local time, ISO 8601 without zone, null where the bytes are no
             date; addresses and codes are numbers; analog `value` is in `unit`.
    Raises:  EncodeError for a frame that has no bytes.
    """
    raw = encode_frame(frame, profile)
    document: Document = {
        "profile": profile.name,
        "serial": frame.serial,
        "version_main": frame.version_main,
        "version_user": frame.version_user,
        **_label("time_label", frame.time_label),
        **_address("source", frame.source_addr, frame.source_raw, profile),
        **_address("dest", frame.dest_addr, frame.dest_raw, profile),
        "adu_length": 0 if frame.adu is None else len(write_adu(frame.adu)),
        "command": frame.command,
        "command_name": frame.command_name,
        "checksum": raw[-3],
        "adu": None if frame.adu is None else _adu(frame.adu, profile),
        "notes": [{"path": note.path, "code": note.code.value} for note in notes(frame, profile)],
    }
    return document


def hex_of(raw: bytes) -> str:
    """Return bytes as the documents write them: upper case hex without blanks."""
    return raw.hex().upper()


def iso(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()


def _label(name: str, label: TimeLabel) -> Document:
    return {name: iso(label.at), f"{name}_raw": hex_of(label.raw)}


def _address(side: str, number: int, raw: bytes, profile: DeviceProfile) -> Document:
    document: Document = {f"{side}_addr": number, f"{side}_addr_raw": hex_of(raw)}
    if profile.address_form is AddressForm.IPV4_PORT:
        document[f"{side}_endpoint"] = ipv4_endpoint(raw)
    return document


def _adu(adu: Adu | RawAdu, profile: DeviceProfile) -> Document:
    objects = object_documents(adu, profile)
    return {"type": adu.type, "type_name": adu.type_name, "count": adu.object_count, "objects": objects}


def object_documents(adu: Adu | RawAdu, profile: DeviceProfile) -> list[Document]:
    """Return the `objects` of a frame's document: one for each information object, one for raw content."""
    if isinstance(adu, RawAdu):
        return [{"raw": hex_of(adu.body)}] if adu.body else []
    return [_body(body, profile) for body in adu.objects]


def _body(body: Body, profile: DeviceProfile) -> Document:
    document: Document = {}
    for name, value in zip(body._fields, body, strict=True):
        match value:
            case TimeLabel():
                document |= _label(name, value)
            case Text():
                document |= {name: value.value, f"{name}_raw": hex_of(value.raw)}
            case ComponentAddress():
                document[name] = _component_address(value, profile)
            case int():
                document |= {name: value} | _explained(name, value, body)
    return document


def _component_address(address: ComponentAddress, profile: DeviceProfile) -> Document:
    return {
        "raw": hex_of(address.raw),
        "u32_le": address.u32_le,
        "word0_le": address.word0_le,
        "word1_le": address.word1_le,
        **dict(address.parts(profile.component_order)),
    }


def _explained(name: str, value: int, body: Body) -> Document:
    """Return the fields that say what a number means."""
    match name:
        case "system_type":
            return {"system_type_name": system_type_term(value).name}
        case "component_type":
            return {"component_type_name": component_type_term(value).name}
        case "analog_type":
            return {"analog_type_name": analog_type_name(value)}
        case "operation_flags":
            device = isinstance(body, bodies.DeviceOperation)
            table = flags.DEVICE_OPERATION if device else flags.FACILITY_OPERATION
            return {"operation_set": list(flags.names_of(table, value))}
    if name == "status_word" and isinstance(body, bodies.SystemStatus | bodies.ComponentStatus | bodies.DeviceStatus):
        return {"status_set": list(flags.names_of(status_flags(body), value))}
    if name == "raw_value" and isinstance(body, bodies.AnalogValue):
        return {"value": body.value, "unit": body.unit}
    return {}

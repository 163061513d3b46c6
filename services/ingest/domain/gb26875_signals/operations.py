"""Operation records: what somebody did at a panel or at the transmission device."""

from collections.abc import Callable

from services.ingest.domain.gb26875 import DeviceProfile, bodies, flags
from services.ingest.domain.gb26875_signals.points import (
    MANUAL_ALARM,
    MANUAL_ALARM_KEY,
    WHOLE,
    device_point,
    system_point,
)
from services.ingest.domain.gb26875_signals.texts import names_text
from services.ingest.domain.values import EVERY_COMPONENT, Message, Point
from services.kernel.words import Flag, Restores, SignalKind

_RESET, _MANUAL_ALARM, _CLEARED, _SELF_TEST, _BIT_5, _TEST, _SPARE = 0x01, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80


def operation(body: bodies.OperationRecord, _: DeviceProfile) -> list[Message]:
    def point(address: str) -> Point:
        return system_point(body.system_type, body.system_addr, address)

    return _operated(body.operation_flags, flags.FACILITY_OPERATION, point, MANUAL_ALARM, answers_duty=0)


def device_operation(body: bodies.DeviceOperation, _: DeviceProfile) -> list[Message]:
    word = body.operation_flags
    return _operated(word, flags.DEVICE_OPERATION, device_point, MANUAL_ALARM_KEY, answers_duty=word & _BIT_5)


def _operated(
    word: int, table: tuple[flags.Flag, ...], point: Callable[[str], Point], key: str, answers_duty: int
) -> list[Message]:
    """Return a message for each thing that was done. Ends stand first: what is reported beside them goes on burning.

    After a reset a panel tells again what still burns, within 20 s (GB 4717); so all fires of the system end with it.
    """
    messages: list[Message] = []

    def tell(bits: int, kind: SignalKind, at: Point, restores: Restores | None = None) -> None:
        if word & bits:
            text = names_text(flags.names_of(table, word & bits))
            odd = (Flag.NOT_UNDERSTOOD,) if bits & word == _SPARE else ()
            messages.append(Message(kind, point=at, restores=restores, text=text, flags=odd))

    tell(_RESET | _CLEARED, SignalKind.RESTORE, point(EVERY_COMPONENT), Restores.FIRE)
    tell(_MANUAL_ALARM, SignalKind.FIRE, point(key))
    tell(answers_duty, SignalKind.DUTY_ANSWER, point(WHOLE))
    tell(_SELF_TEST | _TEST, SignalKind.TEST, point(WHOLE))
    rest = ~(_CLEARED | _MANUAL_ALARM | _SELF_TEST | _TEST | answers_duty)
    tell(rest & 0xFF, SignalKind.OPERATION, point(WHOLE))
    return messages or [Message(SignalKind.OPERATION, point=point(WHOLE), text="no operation")]


def past_operation(body: bodies.OperationRecord | bodies.DeviceOperation) -> list[Message]:
    """Return what a record says that was read out on request: it may be old, and only its alarm still counts."""
    word = body.operation_flags
    if isinstance(body, bodies.OperationRecord):
        point, key = system_point(body.system_type, body.system_addr), MANUAL_ALARM
        text = names_text(flags.names_of(flags.FACILITY_OPERATION, word))
    else:
        point, key = device_point(), MANUAL_ALARM_KEY
        text = names_text(flags.names_of(flags.DEVICE_OPERATION, word))
    alarm = [Message(SignalKind.FIRE, point=point._replace(address=key), text=text)] if word & _MANUAL_ALARM else []
    return [*alarm, Message(SignalKind.OPERATION, point=point, text=text or "no operation")]

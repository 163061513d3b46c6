"""Which frames of a device go before all others: told from the flags alone, before anything is mapped."""

from services.ingest.domain.gb26875 import Adu, Frame
from services.ingest.domain.gb26875.bodies import (
    ComponentStatus,
    DeviceOperation,
    DeviceStatus,
    OperationRecord,
    SystemStatus,
)
from services.ingest.domain.gb26875.flags import FIRE_BIT

MANUAL_ALARM_BIT = 0x04

_STATUS = (SystemStatus, ComponentStatus, DeviceStatus)
_OPERATION = (OperationRecord, DeviceOperation)


def carries_fire(frame: Frame) -> bool:
    """Say whether any object of the frame tells of a fire: a fire flag, or a person who pressed the manual alarm.

    A test counts: whether it is one is decided later, and a fire may be sent without the normal bit.
    """
    if not isinstance(frame.adu, Adu):
        return False
    for body in frame.adu.objects:
        if isinstance(body, _STATUS):
            if body.status_word & FIRE_BIT:
                return True
        elif isinstance(body, _OPERATION):
            if body.operation_flags & MANUAL_ALARM_BIT:
                return True
        else:
            return False  # all objects of a frame are of one type
    return False


def may_end_fire(frame: Frame) -> bool:
    """Say whether the frame is of a kind that can end a fire: any status, any operation."""
    adu = frame.adu
    return isinstance(adu, Adu) and bool(adu.objects) and isinstance(adu.objects[0], (*_STATUS, *_OPERATION))

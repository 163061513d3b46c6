"""The only two controls that FireNet sends: set a device's clock, and 查岗, is a person there. Words and frames."""

from datetime import datetime, timedelta
from typing import NamedTuple, NewType, assert_never

from services.ingest.domain.errors import NotAllowed
from services.ingest.domain.gb26875 import (
    Command,
    DeviceProfile,
    Envelope,
    Frame,
    duty_check,
    encode_frame,
    may_send,
    set_clock,
)
from services.kernel.words import ControlKind, ExchangeReason, ExchangeStep, Transport

Control = NewType("Control", bytes)
"""A clock synchronisation or a duty check, as bytes. Carriers take nothing else; `encode` alone makes it."""


ENDS = frozenset(
    {
        ExchangeStep.CONFIRMED,
        ExchangeStep.ANSWERED,
        ExchangeStep.NOT_ANSWERED,
        ExchangeStep.FAILED,
        ExchangeStep.UNKNOWN,
    }
)
BEFORE_BEGINNING = frozenset(
    {ExchangeReason.UNKNOWN_GATEWAY, ExchangeReason.BUSY, ExchangeReason.TOO_MANY, ExchangeReason.EXPIRED}
)
"""Ends that are none when somebody took the order on meanwhile."""
UNKNOWABLE = frozenset({ExchangeReason.BLIND, ExchangeReason.RESTARTED, ExchangeReason.ABANDONED})
NOTES = frozenset({ExchangeReason.TIME_UNPROVEN, ExchangeReason.OLD_ANSWER})


class Order(NamedTuple):
    """What somebody wants. `minutes` goes with a duty check: how long a person has to press the key."""

    command_id: str
    gateway_id: str
    what: ControlKind
    minutes: int | None
    by: str
    ordered_at: datetime


class ExchangeEvent(NamedTuple):
    """One step of one exchange, as it stands on the log for everybody. `attempt` counts sendings from 1.

    `seconds`: since the control was first sent.
    """

    order: Order
    step: ExchangeStep
    at: datetime
    instance: str
    serial: int | None = None
    carrier: Transport | None = None
    attempt: int | None = None
    seconds: float | None = None
    why: ExchangeReason | None = None

    @property
    def ends(self) -> bool:
        """A confirm ends a set clock only: that a device has the duty check says nothing of a person yet."""
        return self.step in ENDS and not (
            self.step is ExchangeStep.CONFIRMED and self.order.what is ControlKind.DUTY_CHECK
        )


class Terms(NamedTuple):
    """`time_out` and `resends` are those of 6.5.4 and 6.5.5; the rest is ours.

    unheard_wait   how long who has not heard the gateway leaves an order to those who have
    begin_within   an order that nobody took on by then has expired
    send_within    nothing is sent later than this after the beginning: nobody expects it any more
    clocks_apart   how far the clocks of two ingest processes may differ
    hear_others    how long a verdict of silence waits for what other processes have heard
    blind_after    we were blind when nothing was proven for so long
    abandon_after  so long after its last deadline others end what its process left open
    minute         how long a minute that an order leaves a person lasts; shorter in trials only
    """

    time_out: timedelta = timedelta(seconds=10)
    resends: int = 3
    unheard_wait: timedelta = timedelta(seconds=2)
    begin_within: timedelta = timedelta(seconds=60)
    send_within: timedelta = timedelta(seconds=60)
    clocks_apart: timedelta = timedelta(seconds=2)
    hear_others: timedelta = timedelta(seconds=5)
    blind_after: timedelta = timedelta(seconds=15)
    abandon_after: timedelta = timedelta(seconds=60)
    max_open: int = 10_000
    minute: timedelta = timedelta(minutes=1)

    def answering(self, order: Order) -> timedelta:
        """Return how long a person may take to answer."""
        return (order.minutes or 0) * self.minute


def control_frame(order: Order, envelope: Envelope, profile: DeviceProfile) -> Frame:
    """Return the frame of an order. A resend has the same serial number and a clock of its own instant.

    Raises:  EncodeError for minutes outside 1 to 255.
    """
    match order.what:
        case ControlKind.SET_CLOCK:
            return set_clock(envelope, profile)
        case ControlKind.DUTY_CHECK:
            return duty_check(envelope, order.minutes or 0, profile)
        case _:
            assert_never(order.what)


def encode(frame: Frame, profile: DeviceProfile) -> Control:
    """Return the bytes of a control that may leave: the last gate before every carrier.

    Raises:  NotAllowed for everything but a clock synchronisation and a duty check; EncodeError.
    """
    if frame.command != Command.CONTROL or not may_send(frame):
        raise NotAllowed(frame.command, None if frame.adu is None else frame.adu.type)
    return Control(encode_frame(frame, profile))

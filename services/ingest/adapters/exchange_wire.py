"""Orders and the steps of exchanges as they stand on the topics, and back."""

from schemas import codec
from schemas.command import Command, DutyCheck, Replay, SetClock
from schemas.exchange import Exchange, ExchangeData
from services.ingest.domain.controls import ExchangeEvent, Order
from services.kernel import ids
from services.kernel.words import ControlKind

SOURCE = "/ingest"


def order_of(command: Command) -> Order | None:
    """Return the order in a command, None for one that is no exchange."""
    asked = command.data.order
    match asked:
        case SetClock():
            return Order(command.id, asked.gateway_id, ControlKind.SET_CLOCK, None, command.data.by, command.time)
        case DutyCheck():
            return Order(
                command.id, asked.gateway_id, ControlKind.DUTY_CHECK, asked.minutes, command.data.by, command.time
            )
        case Replay():
            return None


def command_of(order: Order, source: str) -> Command:
    """Return the order as an event; `source` says where a person gave it."""
    asked: SetClock | DutyCheck = (
        SetClock(gateway_id=order.gateway_id)
        if order.what is ControlKind.SET_CLOCK
        else DutyCheck(gateway_id=order.gateway_id, minutes=order.minutes or 0)
    )
    return Command.model_validate(
        {
            "id": order.command_id,
            "source": source,
            "subject": order.gateway_id,
            "time": order.ordered_at,
            "data": {"by": order.by, "order": asked},
        }
    )


def exchange_of(event: ExchangeEvent) -> Exchange:
    """Return the event of one step; its id depends on the command, the step and the attempt alone."""
    order = event.order
    data = ExchangeData(
        command_id=order.command_id,
        gateway_id=order.gateway_id,
        what=order.what,
        minutes=order.minutes,
        by=order.by,
        ordered_at=order.ordered_at,
        step=event.step,
        instance=event.instance,
        serial=event.serial,
        carrier=event.carrier,
        attempt=event.attempt,
        seconds=event.seconds,
        reason=event.why,
    )
    event_id = ids.derive("exchange", order.command_id, event.step, str(event.attempt or 0))
    return Exchange(id=event_id, source=SOURCE, subject=order.gateway_id, time=event.at, data=data)


def event_of(value: bytes) -> ExchangeEvent:
    """Return the event in a record of the exchanges topic. Raises codec.BadRecord."""
    event = codec.exchanges.decode(value)
    data = event.data
    order = Order(data.command_id, data.gateway_id, data.what, data.minutes, data.by, data.ordered_at)
    return ExchangeEvent(
        order,
        data.step,
        event.time,
        data.instance,
        data.serial,
        data.carrier,
        data.attempt,
        data.seconds,
        data.reason,
    )

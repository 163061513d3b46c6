"""Every interleaving of confirms, denials, answers, time, lost ways and killed processes ends with the truth."""

from collections import deque

from hypothesis import given
from hypothesis import strategies as st

from services.ingest.domain.answers import Answer
from services.ingest.domain.controls import ExchangeEvent, Order, Terms
from services.ingest.domain.exchanges import Exchanges
from services.kernel.words import ControlKind, ExchangeReason, ExchangeStep, Transport
from tests.unit.ingest.build import NOON, QUICK, after

MQTT = Transport.MQTT_GB26875
MINUTES = 1
ORDERS = (
    Order("clock", "G000001", ControlKind.SET_CLOCK, None, "wang", NOON),
    Order("duty", "G000001", ControlKind.DUTY_CHECK, MINUTES, "wang", NOON),
)
LONG_S = 600

ACTION = st.one_of(
    st.tuples(st.just("wait"), st.sampled_from([0.5, 1.0, 5.0, 9.5, 10.0, 20.0, 61.0])),
    st.tuples(st.sampled_from(["confirm", "deny"]), st.sampled_from(["clock", "duty"])),
    st.tuples(st.sampled_from(["answer", "stale", "kill", "cut", "mend", "blind", "see", "hold", "flow"]), st.just("")),
)


class Process:
    """`unreported` is what it wants on the log; with it dies what it has not told."""

    def __init__(self, instance: str) -> None:
        self.instance = instance
        self.exchanges = Exchanges(instance)
        self.unreported: deque[ExchangeEvent] = deque()
        self.place = 0


class Scenario:
    def __init__(self, processes: int) -> None:
        self.at = 0.0
        self.log: list[ExchangeEvent] = []
        self.processes = [Process(f"ingest-{number}") for number in range(processes)]
        self.sent: list[tuple[float, str, str, int]] = []
        self.lag_s = 0.0
        self.reachable = True
        self.holding = False
        self.ears = 0
        self.confirmed: dict[str, float] = {}
        self.answers: list[float] = []
        self.kills: list[float] = []
        for order in ORDERS:
            for process in self.processes:
                events = process.exchanges.ordered(order, after(0), live=True, near=True, known=True)
                process.unreported.extend(events)

    def play(self, what: str, value: object) -> None:
        match what:
            case "wait":
                assert isinstance(value, float)
                self.wait(value)
            case "confirm" | "deny":
                self.device_says(str(value), confirmed=what == "confirm")
            case "answer":
                self.answer()
            case "stale":
                self.send_what_was_kept()
            case "kill":
                self.kill()
            case "cut" | "mend":
                self.reachable = what == "mend"
            case "blind" | "see":
                self.lag_s = 30.0 if what == "blind" else 0.0
            case _:
                self.holding = what == "hold"
        self.settle()

    def wait(self, seconds: float, step: float = 1.0) -> None:
        end = self.at + seconds
        while self.at < end:
            self.at = min(end, self.at + step)
            for process in self.processes:
                due = process.exchanges.due(after(self.at), after(self.at - self.lag_s))
                process.unreported.extend(due.events)
                for one in due.tries:
                    carrier = MQTT if self.reachable else None
                    if carrier is not None:
                        self.sent.append((self.at, one.order.command_id, process.instance, one.serial))
                    process.unreported.extend(process.exchanges.tried(one.order.command_id, after(self.at), carrier))
            self.settle()

    def settle(self) -> None:
        if self.holding:
            return
        for process in self.processes:
            while process.unreported:
                self.log.append(process.unreported.popleft())
        for process in self.processes:
            for event in self.log[process.place :]:
                process.exchanges.read(event, live=True)
            process.place = len(self.log)

    def hearer(self) -> Process:
        self.ears += 1
        return self.processes[self.ears % len(self.processes)]

    def device_says(self, command_id: str, *, confirmed: bool) -> None:
        """Only what was sent can be answered; any process may be the one that hears it."""
        serials = [serial for _, sent_id, _, serial in self.sent if sent_id == command_id]
        if serials:
            process = self.hearer()
            process.unreported.extend(
                process.exchanges.heard("G000001", serials[-1], after(self.at), MQTT, confirmed=confirmed)
            )
            if confirmed:
                self.confirmed.setdefault(command_id, self.at)

    def answer(self) -> None:
        self.answers.append(self.at)
        process = self.hearer()
        process.unreported.extend(process.exchanges.answered("G000001", Answer(after(self.at), MQTT, after(self.at))))

    def send_what_was_kept(self) -> None:
        """The device sends an answer to an earlier check: it is none to this one, whoever hears it."""
        process = self.hearer()
        process.unreported.extend(process.exchanges.answered("G000001", Answer(after(self.at), MQTT, after(-600))))

    def kill(self) -> None:
        """One process dies with what it did not tell, and is started anew under its name."""
        self.kills.append(self.at)
        number = self.ears % len(self.processes)
        fresh = Process(self.processes[number].instance)
        for event in self.log:
            fresh.exchanges.read(event, live=False)
        fresh.place = len(self.log)
        fresh.unreported.extend(fresh.exchanges.resume(after(self.at)))
        for order in ORDERS:
            fresh.unreported.extend(fresh.exchanges.ordered(order, after(self.at), live=False, near=False, known=True))
        self.processes[number] = fresh

    def end_of(self, command_id: str) -> ExchangeEvent:
        """The first end on the log, as everybody reads it who knows the rule about what was taken on before."""
        began = False
        for event in self.log:
            if event.order.command_id == command_id:
                began = began or event.step is ExchangeStep.BEGAN
                before = event.why in {
                    ExchangeReason.BUSY,
                    ExchangeReason.EXPIRED,
                    ExchangeReason.TOO_MANY,
                    ExchangeReason.UNKNOWN_GATEWAY,
                }
                if event.ends and not (began and before):
                    return event
        raise AssertionError(f"{command_id} never ended: {self.log}")


def played(processes: int, actions: list[tuple[str, object]]) -> Scenario:
    scenario = Scenario(processes)
    scenario.settle()
    for what, value in actions:
        scenario.play(what, value)
    scenario.holding, scenario.lag_s = False, 0.0
    scenario.wait(LONG_S, step=5)
    return scenario


@QUICK
@given(st.integers(1, 3), st.lists(ACTION, max_size=20))
def test_every_order_ends_once_for_everybody_and_one_process_sends(
    processes: int, actions: list[tuple[str, object]]
) -> None:
    scenario = played(processes, actions)
    assert all(len(process.exchanges) == 0 for process in scenario.processes)
    for order in ORDERS:
        scenario.end_of(order.command_id)
        began = [event for event in scenario.log if event.step is ExchangeStep.BEGAN and event.order == order]
        sent = [one for one in scenario.sent if one[1] == order.command_id]
        assert {(instance, serial) for _, _, instance, serial in sent} <= {(began[0].instance, began[0].serial)}
        kills = sum(what == "kill" for what, _ in actions)
        assert len(sent) <= 4 * (1 + kills)  # what a killed process sent and did not tell is sent again


@QUICK
@given(st.integers(1, 3), st.lists(ACTION.filter(lambda action: action[0] != "hold"), max_size=20))
def test_the_end_is_the_truth_or_unknown(processes: int, actions: list[tuple[str, object]]) -> None:
    scenario = played(processes, actions)
    clock, duty = scenario.end_of("clock"), scenario.end_of("duty")
    if clock.step is ExchangeStep.CONFIRMED:
        assert "clock" in scenario.confirmed
    for end in (clock, duty):
        if end.why in {ExchangeReason.NO_CONFIRM, ExchangeReason.DENIED}:
            assert after(scenario.confirmed.get(end.order.command_id, scenario.at)) >= end.at
    first = min((at for at, sent_id, _, _ in scenario.sent if sent_id == "duty"), default=None)
    if duty.step is ExchangeStep.ANSWERED:
        assert first is not None
        slack = (
            Terms().clocks_apart.total_seconds()
        )  # of two processes one may hear what the other's clock has not sent
        assert any(duty.at == after(at) and at >= first - slack for at in scenario.answers)
        assert duty.seconds == max(0.0, (duty.at - after(first)).total_seconds()) or scenario.kills
    if duty.step is ExchangeStep.NOT_ANSWERED:
        assert "duty" in scenario.confirmed
        assert not any(after(first or 0) < after(at) < duty.at for at in scenario.kills)
        last = max(at for at, sent_id, _, _ in scenario.sent if sent_id == "duty")
        assert not any(first <= at <= last + 60 * MINUTES for at in scenario.answers if first is not None)


@QUICK
@given(st.lists(ACTION, max_size=20))
def test_without_a_kill_or_blindness_nothing_is_unknown(actions: list[tuple[str, object]]) -> None:
    scenario = played(1, [action for action in actions if action[0] not in {"kill", "blind"}])
    assert ExchangeStep.UNKNOWN not in {scenario.end_of("clock").step, scenario.end_of("duty").step}

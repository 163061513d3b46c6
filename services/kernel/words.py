"""Every closed set of words that more than one place uses, once: in code, on the wire, in the database, in metrics.

A value is never changed and never taken away: it stands in logs and tables. A set of one place alone stays there.
"""

from enum import StrEnum


class SignalKind(StrEnum):
    """What a signal says.

    `link_up` and `link_down` come from the status topic only. GB/T 26875.3 adds `state` (what a system or component
    does, without trouble), `operation` (somebody pressed a key there) and `report` (an answer about versions,
    configuration or clock, and whatever is kept without being understood). `gap` and `unreadable_alarm` are words of
    ingest's own, no gateway sends them: the numbering of the gateway shows messages that never came; something came on
    its alarm lane that could not be read.
    """

    HEARTBEAT = "heartbeat"
    FIRE = "fire"
    FAULT = "fault"
    ISOLATION = "isolation"
    SUPERVISORY = "supervisory"
    RESTORE = "restore"
    TEST = "test"
    DUTY_ANSWER = "duty_answer"
    ANALOG = "analog"
    LINK_UP = "link_up"
    LINK_DOWN = "link_down"
    STATE = "state"
    OPERATION = "operation"
    REPORT = "report"
    GAP = "gap"
    UNREADABLE_ALARM = "unreadable_alarm"


class Restores(StrEnum):
    """What a `restore` ends: one kind of trouble (at `point`, or everywhere when it names none), or all of it."""

    FIRE = "fire"
    FAULT = "fault"
    ISOLATION = "isolation"
    SUPERVISORY = "supervisory"
    ALL = "all"


class Transport(StrEnum):
    """How a message came: by MQTT as JSON, or as GB/T 26875.3 frames by MQTT, TCP or UDP."""

    MQTT_JSON = "mqtt_json"
    MQTT_GB26875 = "mqtt_gb26875"
    TCP_GB26875 = "tcp_gb26875"
    UDP_GB26875 = "udp_gb26875"


class Lane(StrEnum):
    """Which branch of its topics a gateway used: fire and its end have their own, and so has the last will."""

    UP = "up"
    ALARM = "alarm"
    STATUS = "status"


class Flag(StrEnum):
    """Oddities that are kept and shown, never a reason to drop.

    `test_or_omission`: a GB/T 26875.3 status without its normal bit: a test, or a device that never sets the bit.
    `not_understood`: kept raw. `repeated`: sent again by the gateway, and therefore a sign of life only.
    `replayed`: was refused once and taken in later by a person, never a sign of life. `salvaged`: read carefully where
    the strict reading failed; `notes` say what was dropped, `raw` is what came. `reconnected`: the first over a
    new connection of a device that had another one before.
    """

    CLOCK_AHEAD = "clock_ahead"
    CLOCK_BEHIND = "clock_behind"
    NO_DEVICE_TIME = "no_device_time"
    REDELIVERED = "redelivered"
    RETAINED = "retained"
    TEST_OR_OMISSION = "test_or_omission"
    NOT_UNDERSTOOD = "not_understood"
    REPEATED = "repeated"
    REPLAYED = "replayed"
    SALVAGED = "salvaged"
    RECONNECTED = "reconnected"


class RefusalReason(StrEnum):
    """Why a message could not be used. The same words in code, log, metric and on `firenet.refusals.v1`.

    `unknown_profile` is our own fault: the registry names a device profile that this ingest does not have.
    `not_yet_supported` stands in logs of version 0.1 only, for GB/T 26875.3 frames that it could not read.
    """

    BAD_TOPIC = "bad_topic"
    EMPTY = "empty"
    TOO_LARGE = "too_large"
    NOT_UTF8 = "not_utf8"
    NOT_JSON = "not_json"
    TOO_DEEP = "too_deep"
    DUPLICATE_KEY = "duplicate_key"
    NOT_A_NUMBER = "not_a_number"
    UNKNOWN_VERSION = "unknown_version"
    UNKNOWN_KIND = "unknown_kind"
    WRONG_SHAPE = "wrong_shape"
    UNKNOWN_GATEWAY = "unknown_gateway"
    IDENTITY_MISMATCH = "identity_mismatch"
    BAD_FRAME = "bad_frame"
    BAD_DATA_UNIT = "bad_data_unit"
    UNKNOWN_PROFILE = "unknown_profile"
    NOT_YET_SUPPORTED = "not_yet_supported"
    UNEXPECTED = "unexpected"


REFUSAL_REASONS_IN_USE: tuple[RefusalReason, ...] = tuple(
    reason for reason in RefusalReason if reason is not RefusalReason.NOT_YET_SUPPORTED
)
"""Those that ingest still gives."""


class ExchangeStep(StrEnum):
    """The steps of one exchange. `failed`, `answered`, `not_answered` and `unknown` end it, `confirmed` a set clock.

    `began`: an ingest process took it on; `sent`, `denied`: once for each attempt; `confirmed`: the device has it, for
    a duty check no more than that. `answered`: a person pressed the key. `not_answered` is said only when the device
    had confirmed and FireNet was looking all the time; else it is `unknown`. `blind`: one process was not looking.
    """

    BEGAN = "began"
    SENT = "sent"
    DENIED = "denied"
    BLIND = "blind"
    CONFIRMED = "confirmed"
    ANSWERED = "answered"
    NOT_ANSWERED = "not_answered"
    FAILED = "failed"
    UNKNOWN = "unknown"


class ExchangeReason(StrEnum):
    """Why an exchange `failed`, or why what became of it is `unknown` (`blind`, `restarted`, `abandoned`).

    `time_unproven` goes with `answered`: nothing shows whether the key was pressed after the check, or the device had
    kept the answer from before it. `old_answer` goes with `not_answered`: an answer came that was older than the check.
    """

    UNKNOWN_GATEWAY = "unknown_gateway"
    BUSY = "busy"
    TOO_MANY = "too_many"
    EXPIRED = "expired"
    UNREACHABLE = "unreachable"
    DENIED = "denied"
    NO_CONFIRM = "no_confirm"
    BLIND = "blind"
    RESTARTED = "restarted"
    ABANDONED = "abandoned"
    TIME_UNPROVEN = "time_unproven"
    OLD_ANSWER = "old_answer"


class Construction(StrEnum):
    """Whether the building falls under the acceptance clause (scope S2)."""

    EXISTING = "existing"
    NEW_BUILD = "new_build"
    RENOVATED = "renovated"
    EXTENDED = "extended"


class BodyKind(StrEnum):
    """What a body is, as the policy pack and the import of the registry say."""

    GOVERNMENT = "government"
    BRIGADE = "brigade"
    CENTRE = "centre"
    COMMITTEE = "committee"
    DEPARTMENT = "department"
    STREET = "street"


class ContactRole(StrEnum):
    """For whom a contact answers: `office` for a body, the others for a unit."""

    CONTROL_ROOM = "control_room"
    MANAGER = "manager"
    MAINTENANCE = "maintenance"
    GRID_OFFICER = "grid_officer"
    OFFICE = "office"


class Recipient(StrEnum):
    """Whom a step tells: fixed bodies, the unit's own people, its routed department, or the body that a case is about.

    `body` is for cases of bodies; of a district, which is nobody's office, the brigade. `committee` and `government`
    are all bodies of that kind in the district. `acceptance` is who accepts buildings, where the unit's route names it:
    of a new building that is not connected yet.
    """

    CENTRE = "centre"
    UNIT_CONTROL_ROOM = "unit_control_room"
    UNIT_MANAGER = "unit_manager"
    MAINTENANCE = "maintenance"
    GRID_OFFICER = "grid_officer"
    STREET = "street"
    BRIGADE = "brigade"
    DEPARTMENT = "department"
    BODY = "body"
    COMMITTEE = "committee"
    GOVERNMENT = "government"
    ACCEPTANCE = "acceptance"


ACCEPTANCE_ROUTE = "NEW_BUILDING"
"""The category of a pack whose lead is `acceptance`: it also hears of every new building that is not connected."""


class Dimension(StrEnum):
    """By what units are counted apart; a pack says which of them."""

    DISTRICT = "district"
    TOWN = "town"
    COMMUNITY = "community"
    CATEGORY = "category"
    DEPARTMENT = "department"


DIMENSIONS_UNLESS_SAID: tuple[Dimension, ...] = (
    Dimension.DISTRICT, Dimension.TOWN, Dimension.DEPARTMENT, Dimension.CATEGORY,
)  # fmt: skip
"""What is counted where a pack does not say, or none is known."""

UNNAMED = (Dimension.COMMUNITY,)
"""By these slices are whatever a unit's row has: no body of the register, so nobody can enter points for one."""

COUNTED_ALWAYS = (Dimension.DISTRICT, Dimension.DEPARTMENT)
"""The wall and the live metrics stand on these."""


class Duty(StrEnum):
    """Whether a unit has to be connected today, by its registration alone; its links are followed all the same."""

    DUE = "due"
    COMMISSIONING = "commissioning"
    EXEMPT = "exempt"
    RETIRED = "retired"


class Role(StrEnum):
    """Of an account. Brigade and centre see the whole district; a department what it leads or is copied on, a street
    its area too. A screen is a display on a wall: it sees the live picture, and nobody sits before it.
    """

    BRIGADE = "brigade"
    CENTRE = "centre"
    DEPARTMENT = "department"
    SCREEN = "screen"


class AdjustmentKind(StrEnum):
    """What a person asks to be counted otherwise than it was measured, for a span of time to the minute.

    `correction` (更正): time that is over was counted wrongly. `exemption` (豁免), `maintenance` (检修), `test` (测试):
    a unit, a system or component of it or a kind of its troubles is let off. A test never lets off the connection.
    """

    CORRECTION = "correction"
    EXEMPTION = "exemption"
    MAINTENANCE = "maintenance"
    TEST = "test"


class AdjustmentState(StrEnum):
    """The life of an adjustment: only `approved` and `ended` (approved, and cut short later) count for anything."""

    REQUESTED = "requested"
    APPROVED = "approved"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"
    ENDED = "ended"


class CountedAs(StrEnum):
    """What a correction has the time of a unit counted as; `measured` takes back what earlier corrections said."""

    CONNECTED = "connected"
    OFFLINE = "offline"
    UNKNOWN = "unknown"
    EXEMPT = "exempt"
    MEASURED = "measured"


class Connection(StrEnum):
    """Whether a unit reaches us. `unknown` is our own blindness, never the unit's fault.

    Its links are never in `commissioning`, `exempt` or `retired`: so it is shown by its duty (`kernel.duty.shown`).
    """

    NEVER = "never_connected"
    COMMISSIONING = "commissioning"
    ONLINE = "online"
    LATE = "late"
    OFFLINE = "offline"
    UNKNOWN = "unknown"
    EXEMPT = "exempt"
    RETIRED = "retired"


class Health(StrEnum):
    """What a unit says of its own fire-alarm system. `unknown` until it has spoken for the first time."""

    NORMAL = "normal"
    FAULT = "fault"
    PARTLY_ISOLATED = "partly_isolated"
    ISOLATED = "isolated"
    FIRE = "fire"
    UNKNOWN = "unknown"


class VisibilityState(StrEnum):
    """Whether we see: all instances of ingest prove it, some are silent, or nobody looks."""

    CLEAR = "clear"
    IMPAIRED = "impaired"
    BLIND = "blind"


class FindingKind(StrEnum):
    """A kind is also the kind of the case that alerts keeps for it; one open case per unit and kind.

    `unreadable_alarm` only begins: rules keep no state of it, and no signal ends it. `runaway_component`: components
    of a unit begin the same trouble again and again. `below_target` and `not_competent`
    (a year's grade) are of a body and come from compliance; `grave_result` (a grave result through neglect) is of a
    body and entered by a person. All others are of a unit and come from rules.
    """

    CONNECTION_LOST = "connection_lost"
    NEVER_CONNECTED = "never_connected"
    FIRE = "fire"
    FAULT = "fault"
    ISOLATION = "isolation"
    UNREADABLE_ALARM = "unreadable_alarm"
    TEST_OVERDUE = "test_overdue"
    RUNAWAY_COMPONENT = "runaway_component"
    BELOW_TARGET = "below_target"
    NOT_COMPETENT = "not_competent"
    GRAVE_RESULT = "grave_result"


HAZARDS = frozenset(
    {FindingKind.CONNECTION_LOST, FindingKind.NEVER_CONNECTED, FindingKind.FAULT, FindingKind.ISOLATION}
)
"""What is wrong with a unit and burns nowhere."""
FINDINGS_OF_BODIES = frozenset({FindingKind.BELOW_TARGET, FindingKind.NOT_COMPETENT, FindingKind.GRAVE_RESULT})
"""Those about a town, department, station or district; a ladder is for these or for units, never for both."""


class CountsAsTest(StrEnum):
    """What meets a duty to test: an alarm that came, whoever caused it, or anything that the gateway says.

    No heartbeat and no word about the line is ever one: they come without anybody at the detector.
    """

    ALARMS = "alarms"
    ANY_SIGNAL = "any_signal"

    def is_met_by(self, kind: SignalKind) -> bool:
        """Tell whether a signal of this kind, neither retained nor replayed, meets the duty."""
        return kind in _ALARMS if self is CountsAsTest.ALARMS else kind not in _ON_ITS_OWN


_ALARMS = frozenset({SignalKind.TEST, SignalKind.FIRE})
_ON_ITS_OWN = frozenset({SignalKind.HEARTBEAT, SignalKind.LINK_UP, SignalKind.LINK_DOWN, SignalKind.GAP})


class Phase(StrEnum):
    """What a finding says of its problem: each begins once, may change often and ends once."""

    BEGAN = "began"
    CHANGED = "changed"
    ENDED = "ended"


class PartState(StrEnum):
    """What a part of a one-machine installation does now, as its supervisor has it; only what does not run is told."""

    RUNS = "runs"
    STARTS = "starts"
    FAILED = "failed"
    WAITS = "waits"
    SHUT = "shut"


class ControlKind(StrEnum):
    """What FireNet may tell a device to do, and nothing else: set its clock, or ask for a person (查岗)."""

    SET_CLOCK = "set_clock"
    DUTY_CHECK = "duty_check"


class Language(StrEnum):
    """In which language a contact is written to."""

    ZH = "zh"
    EN = "en"


class Channel(StrEnum):
    """How a notice travels."""

    EMAIL = "email"
    WEBHOOK = "webhook"
    ROBOT = "robot"
    MQTT = "mqtt"
    SMS = "sms"
    VOICE = "voice"
    APPRISE = "apprise"


class Proof(StrEnum):
    """What is proven of a notice, the weakest first; `failed` is what a mail server, or a provider of text messages and
    calls, said after it had accepted it.

    `accepted`: the channel's other side took it. `delivered`: a server says that the mailbox has it, a provider that
    the telephone has, or that somebody heard the call. `read`: its link, or its document in the console, was opened; a
    scanner of mails opens links too. `acknowledged`: its addressee signed, pressed the key in the call or, as brigade
    or centre, took the case. `acted`: a reply was handed in, or its addressee found whether the alarm was one.
    """

    ACCEPTED = "accepted"
    FAILED = "failed"
    DELIVERED = "delivered"
    READ = "read"
    ACKNOWLEDGED = "acknowledged"
    ACTED = "acted"


PROOFS_BY_STRENGTH = tuple(Proof)
"""Weakest first: a report that a mail failed says more than that it was accepted."""

PROVEN_BY_CHANNEL = {
    Channel.EMAIL: frozenset({Proof.ACCEPTED, Proof.DELIVERED, Proof.FAILED}),
    Channel.WEBHOOK: frozenset({Proof.ACCEPTED}),
    Channel.ROBOT: frozenset({Proof.ACCEPTED}),
    Channel.MQTT: frozenset({Proof.ACCEPTED}),
    Channel.SMS: frozenset({Proof.ACCEPTED, Proof.DELIVERED, Proof.FAILED}),
    Channel.VOICE: frozenset({Proof.ACCEPTED, Proof.DELIVERED, Proof.FAILED, Proof.ACKNOWLEDGED}),
    Channel.APPRISE: frozenset[Proof](),
}
"""What a channel itself can prove; whatever is above that, people prove by what they do, whichever way it came.

Apprise only hands over. Of text messages and calls more than accepted is proven where their providers' reports reach
us.
"""

BY_TELEPHONE = frozenset({Channel.SMS, Channel.VOICE})
"""Channels that somebody pays for by the notice, and that only approved templates may leave by."""


class TelephoneUse(StrEnum):
    """Which notices a contact gets by text message or voice call: of urgent cases alone, or all."""

    FIRES = "fires"
    ALL = "all"


class RobotProvider(StrEnum):
    """Whose robot it is that writes into a group chat."""

    DINGTALK = "dingtalk"
    WECOM = "wecom"
    FEISHU = "feishu"


class Purpose(StrEnum):
    """A notice says that something is wrong; an all-clear that it is over."""

    NOTICE = "notice"
    ALL_CLEAR = "all_clear"


class Instrument(StrEnum):
    """The documents that the ladders know (文书), by the code that packs use (docs/domain/compliance.md 2.1)."""

    FAULT_NOTICE = "I1"
    CHECK_TASK = "I2"
    URGING_NOTICE = "I3"
    COPY_NOTICE = "I4"
    CORRECTION_ORDER = "I5"
    CIRCULAR = "I6"
    LISTED_SUPERVISION = "I7"
    LISTING_CLOSURE = "I7C"
    INTERVIEW = "I8"
    ACCOUNTABILITY = "I9"


INSTRUMENTS_ISSUED = frozenset(
    {
        Instrument.FAULT_NOTICE,
        Instrument.CHECK_TASK,
        Instrument.URGING_NOTICE,
        Instrument.COPY_NOTICE,
        Instrument.CORRECTION_ORDER,
        Instrument.LISTED_SUPERVISION,
        Instrument.LISTING_CLOSURE,
    }
)
"""Those that a case of a unit has the facts for: alerts asks documents for them."""

INSTRUMENTS_OF_BODIES = frozenset({Instrument.CIRCULAR, Instrument.INTERVIEW, Instrument.ACCOUNTABILITY})
"""Those that a case of a body has the facts for."""


class FileKind(StrEnum):
    """A document as a file: to be printed, or, of a draft, to be written on by who issues it."""

    PDF = "pdf"
    DOCX = "docx"


class DocumentState(StrEnum):
    """The life of a document. What an authority must issue itself stays a draft until its number is entered."""

    DRAFT = "draft"
    ISSUED = "issued"
    RECEIVED = "received"
    REPLIED = "replied"
    CLOSED = "closed"


class SubmissionKind(StrEnum):
    """What an addressee hands in to a document: a reply (回函), or an appeal against it (申诉)."""

    REPLY = "reply"
    APPEAL = "appeal"


class SubmissionState(StrEnum):
    """A reply is accepted or returned with reasons (退回); an appeal is upheld (成立) or dismissed (不成立)."""

    SUBMITTED = "submitted"
    ACCEPTED = "accepted"
    RETURNED = "returned"
    UPHELD = "upheld"
    DISMISSED = "dismissed"


class DocumentEvent(StrEnum):
    """What happens to a document after its issue, as firenet.documents.v1 tells of it."""

    SIGNED = "signed"
    REPLY_SUBMITTED = "reply_submitted"
    REPLY_ACCEPTED = "reply_accepted"
    REPLY_RETURNED = "reply_returned"
    APPEAL_SUBMITTED = "appeal_submitted"
    APPEAL_UPHELD = "appeal_upheld"
    APPEAL_DISMISSED = "appeal_dismissed"


class ClockKind(StrEnum):
    """What a case waits for, side by side, at most once each.

    `step`: the next step of its ladder falls due. `reply`: an answer to a letter is wanted by then (回函), `receipt`:
    the sign that the letter arrived (签收). `un_acknowledge`: what somebody took and did not end is nobody's again.
    `listing`: it is listed for supervision (挂牌督办), and is to be put right by then; it runs as long as it is listed.
    """

    STEP = "step"
    REPLY = "reply"
    RECEIPT = "receipt"
    UN_ACKNOWLEDGE = "un_acknowledge"
    LISTING = "listing"


class ListingState(StrEnum):
    """Where the listed supervision (挂牌督办) of a case stands.

    `recheck`: evidence is handed in, somebody has to look (复查). `approval`: the re-check was passed, another person
    has to approve the closure (销案).
    """

    PROPOSED = "proposed"
    DECLINED = "declined"
    WITHDRAWN = "withdrawn"
    LISTED = "listed"
    RECHECK = "recheck"
    APPROVAL = "approval"
    CLOSED = "closed"


class ListingAct(StrEnum):
    """What people do with a listing, in the order of its life."""

    PROPOSE = "propose"
    WITHDRAW = "withdraw"
    DECLINE = "decline"
    LIST = "list"
    ASK_EXTENSION = "ask_extension"
    GRANT_EXTENSION = "grant_extension"
    REFUSE_EXTENSION = "refuse_extension"
    HAND_IN = "hand_in"
    PASS_RECHECK = "pass_recheck"  # noqa: S105 - no password
    FAIL_RECHECK = "fail_recheck"
    APPROVE_CLOSURE = "approve_closure"
    REFUSE_CLOSURE = "refuse_closure"


class ListingOutcome(StrEnum):
    """What became of a listing by its deadline (按期整改). `undecided`: what was done in time waits for a decision."""

    IN_TIME = "in_time"
    LATE = "late"
    UNDECIDED = "undecided"


class ListingLevel(StrEnum):
    """Which government lists: of the district (区县), the city (市), the province (省)."""

    DISTRICT = "district"
    CITY = "city"
    PROVINCE = "province"


class TriggerKind(StrEnum):
    """What makes a step of a ladder due: time, time of working days, the end of a period, an event, or a condition.

    `overdue`: the clock of a receipt or reply passes; the step is not taken while that clock does not run.
    """

    ELAPSED = "elapsed"
    WORKING_TIME = "working_time"
    PERIOD_CLOSE = "period_close"
    EVENT = "event"
    OVERDUE = "overdue"
    CONDITION = "condition"


class CaseCondition(StrEnum):
    """What a step may wait for that is no time, period or event.

    `two_years_running`, of a body: the same target is missed at the close of a year and was at that of the year before.
    `major_danger`, of a unit: its trouble has lasted as long as the pack's `major_danger` names for its kind.
    """

    TWO_YEARS_RUNNING = "two_years_running"
    MAJOR_DANGER = "major_danger"


class StepExit(StrEnum):
    """What a step of a ladder is not taken any more for."""

    CASE_CLOSED = "case_closed"
    ACKNOWLEDGED = "acknowledged"
    REPLIED = "replied"
    CONDITION_OVER = "condition_over"


class CaseEvent(StrEnum):
    """What may happen to a case that is there already, and a step may wait for.

    The trouble came back soon after its end; a further component is on fire; one of several has ended.
    """

    REOPENED = "reopened"
    COMPONENT_ADDED = "component_added"
    COMPONENT_ENDED = "component_ended"


class AlarmState(StrEnum):
    """Where a case stands by ISA-18.2, as one of seven; `kernel.alarm_state` says which.

    `returned_unacknowledged`: came back to normal before anybody took it. `shelved`: a person put it out of sight, for
    a while. `suppressed_by_design`: explained by a common cause, or in an approved maintenance. `out_of_service`: its
    unit is exempt or retired. `normal`: over, and nobody has to see it.
    """

    UNACKNOWLEDGED = "unacknowledged"
    ACKNOWLEDGED = "acknowledged"
    RETURNED_UNACKNOWLEDGED = "returned_unacknowledged"
    SHELVED = "shelved"
    SUPPRESSED_BY_DESIGN = "suppressed_by_design"
    OUT_OF_SERVICE = "out_of_service"
    NORMAL = "normal"


class Verification(StrEnum):
    """What somebody found who looked whether an alarm was one: 真警, 误报."""

    TRUE_ALARM = "true_alarm"
    FALSE_ALARM = "false_alarm"


class AlarmCause(StrEnum):
    """Why it burned, or why an alarm came without a fire, as the centre knows it; no finding of a fire investigation.

    No common cause of outages.
    """

    ELECTRICAL = "electrical"
    OPEN_FLAME = "open_flame"
    COOKING = "cooking"
    HOT_WORK = "hot_work"
    ARSON_SUSPECTED = "arson_suspected"
    FUMES = "fumes"
    INSECT = "insect"
    DEVICE_FAULT = "device_fault"
    WORKS = "works"
    PRESSED_BY_MISTAKE = "pressed_by_mistake"
    UNANNOUNCED_TEST = "unannounced_test"
    OTHER = "other"
    UNKNOWN = "unknown"


CAUSES_OF = {
    Verification.TRUE_ALARM: (
        AlarmCause.ELECTRICAL,
        AlarmCause.OPEN_FLAME,
        AlarmCause.COOKING,
        AlarmCause.HOT_WORK,
        AlarmCause.ARSON_SUSPECTED,
        AlarmCause.OTHER,
        AlarmCause.UNKNOWN,
    ),
    Verification.FALSE_ALARM: (
        AlarmCause.FUMES,
        AlarmCause.INSECT,
        AlarmCause.DEVICE_FAULT,
        AlarmCause.WORKS,
        AlarmCause.PRESSED_BY_MISTAKE,
        AlarmCause.UNANNOUNCED_TEST,
        AlarmCause.OTHER,
        AlarmCause.UNKNOWN,
    ),
}
"""Which causes go with a finding, in the order in which they are offered."""


def check_cause(finding: Verification, cause: AlarmCause | None) -> None:
    """Raise ValueError where the cause is none of the finding's. None: nobody said one."""
    if cause is not None and cause not in CAUSES_OF[finding]:
        raise ValueError(f"{cause} is no cause of a {finding}")


class Period(StrEnum):
    """Spans of the calendar that end at a midnight of Asia/Shanghai."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    QUARTER = "quarter"
    HALF_YEAR = "half_year"
    YEAR = "year"


PERIODS_BY_LENGTH = tuple(Period)
"""Shortest first."""


class PublishedMetric(StrEnum):
    """What is published of closed periods; the formula of each is in compliance."""

    ACCESS_RATE = "access_rate"
    LIVE_NETWORKING_RATE = "live_networking_rate"
    ONLINE_RATE = "online_rate"
    TIME_WEIGHTED_NETWORKING_RATE = "time_weighted_networking_rate"
    COVERAGE = "coverage"
    MEETING_UNITS_RATE = "meeting_units_rate"
    DATA_COMPLETENESS = "data_completeness"
    DEVICE_INTACT_RATE = "device_intact_rate"
    ISOLATION_RATE = "isolation_rate"
    FAULT_CURE_TIMELY_RATE = "fault_cure_timely_rate"
    TESTED_IN_TIME_RATE = "tested_in_time_rate"
    TRANSMISSION_TIMELY_RATE = "transmission_timely_rate"
    DUTY_CHECK_ANSWER_RATE = "duty_check_answer_rate"


NUMBER_OF = {
    PublishedMetric.MEETING_UNITS_RATE: "availability",
    PublishedMetric.FAULT_CURE_TIMELY_RATE: "cure_limit_s",
    PublishedMetric.TRANSMISSION_TIMELY_RATE: "transmission_limit_s",
}
"""What `publication` of the pack must say for a figure of these to be published."""

UNION_UNLESS_SAID = ("S1", "S2")
"""What packs meant by `union` before they could say it: those of these scopes that they have."""


class Grade(StrEnum):
    """The four grades of an evaluation (优秀、良好、称职、不称职), the best first."""

    EXCELLENT = "excellent"
    GOOD = "good"
    COMPETENT = "competent"
    NOT_COMPETENT = "not_competent"


class EvaluationList(StrEnum):
    """The lists of a circular that a grade brings a body on (绿榜、红榜)."""

    GREEN = "green"
    RED = "red"


class ScoreGap(StrEnum):
    """Why a part of a score is not known. Whatever it is, it is never taken for nought and never for full points.

    `no_figure`: none is published of the body and month; `nothing_counted`: it counts nothing; `blind`: the figure has
    unknown time in it, so the points lie between two. `not_entered`: a person has yet to. `not_decided`: evidence of
    a listing waits for its re-check or closure, or an extension for its decision. `no_month`: of a longer period, a
    month without a score.
    """

    NO_FIGURE = "no_figure"
    NOTHING_COUNTED = "nothing_counted"
    BLIND = "blind"
    NOT_ENTERED = "not_entered"
    NOT_DECIDED = "not_decided"
    NO_MONTH = "no_month"


class EntityKind(StrEnum):
    """Of what the register takes rows, from a file or a form."""

    UNIT = "unit"
    GATEWAY = "gateway"
    CONTACT = "contact"
    DEPARTMENT = "department"


class ProposalKind(StrEnum):
    """What a proposal may hold: rows of a kind, or a policy pack."""

    UNIT = "unit"
    GATEWAY = "gateway"
    CONTACT = "contact"
    DEPARTMENT = "department"
    PACK = "pack"


class WorkingCalendarName(StrEnum):
    """Which working days are meant: `CN` those of mainland China, adjusted days (调休) included."""

    CN = "CN"

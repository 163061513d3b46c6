"""Every closed set of words that more than one place uses, once: in code, on the wire, in the database, in metrics.

A value is never changed and never taken away: it stands in logs and tables. A set of one place alone stays there.
"""

from enum import StrEnum


class Word(StrEnum):
    """A member of a closed set, hashed as the string it is: sets of words are keys of dicts on every message."""

    __hash__ = str.__hash__


class SignalKind(Word):
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


class Restores(Word):
    """What a `restore` ends: one kind of trouble (at `point`, or everywhere when it names none), or all of it."""

    FIRE = "fire"
    FAULT = "fault"
    ISOLATION = "isolation"
    SUPERVISORY = "supervisory"
    ALL = "all"


class Carrier(Word):
    """How the message came."""

    MQTT_JSON = "mqtt_json"
    MQTT_GB26875 = "mqtt_gb26875"
    TCP_GB26875 = "tcp_gb26875"
    UDP_GB26875 = "udp_gb26875"


class Lane(Word):
    """Which topic branch the gateway used."""

    UP = "up"
    ALARM = "alarm"
    STATUS = "status"


class Flag(Word):
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


class RefusalReason(Word):
    """Why a message could not be used. The same words in code, log, metric and on this topic.

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

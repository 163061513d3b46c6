"""Why a notice waits, is dead or was cancelled."""

from enum import StrEnum


class Reason(StrEnum):
    """Why a notice waits, is dead or was cancelled: one closed set for the row, the metric and the log."""

    TIMEOUT = "timeout"
    CONNECT = "connect"
    DNS = "dns"
    TLS = "tls"
    THROTTLED = "throttled"
    SERVER_ERROR = "server_error"
    AUTH = "auth"
    REJECTED = "rejected"
    RECIPIENT_REFUSED = "recipient_refused"
    GONE = "gone"
    REDIRECT = "redirect"
    ADDRESS_REFUSED = "address_refused"
    NO_SECRET = "no_secret"  # noqa: S105 - a reason, not a secret
    QUOTA = "quota"
    """The provider takes nothing more today, or until somebody pays."""
    NOT_CONFIGURED = "not_configured"
    """Nobody has said in the settings how this channel is reached."""
    NO_SUBSCRIBER = "no_subscriber"
    """The broker took it, and nobody will ever get it."""
    NOT_DELIVERED = "not_delivered"
    """A provider took it and reported later that it did not arrive: off, busy, not taken up."""
    UNEXPECTED = "unexpected"
    CASE_CLOSED = "case_closed"
    ACKNOWLEDGED = "acknowledged"
    REOPENED = "reopened"
    HELD = "held_common_cause"
    GROUPED = "grouped"
    """It waits for others to the same address."""

"""Why a request was refused."""

from enum import StrEnum


class RefusedBecause(StrEnum):
    """One closed set for the metric and the log. `unexpected` is a fault of ours that met this request."""

    UNDECODABLE = "undecodable"
    NOT_ISSUED_HERE = "not_issued_here"
    UNEXPECTED = "unexpected"

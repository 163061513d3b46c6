"""The errors that alerts itself raises."""


class AlertsError(Exception):
    """Root of the errors that alerts itself raises."""


class Fenced(AlertsError):
    """Another process owns the partition now; nothing of this transaction may stand."""


class Conflict(AlertsError):
    """Another transaction was faster with the same case; do it again from what stands now."""


class StoreUnavailable(AlertsError):
    """The database did not answer; nothing was changed and the same call may be made again."""


class NoPack(AlertsError):
    """No district has a policy pack: nothing is set up, so nobody can be told; what came in waits."""

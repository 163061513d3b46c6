"""What is shown of a unit, by its duty and by what its links are: the one place that lays one over the other."""

from services.kernel.words import Connection, Duty


def shown(duty: Duty, connection: Connection, *, heard: bool) -> Connection:
    """Return the connection as people see it and as it is counted.

    `connection` is that of the links; `heard` says whether any of them is heard, or was until we stopped seeing.
    """
    if duty is Duty.RETIRED:
        return Connection.RETIRED
    if duty is Duty.EXEMPT:
        return Connection.EXEMPT
    if duty is Duty.COMMISSIONING:
        return Connection.COMMISSIONING if heard else Connection.NEVER
    return connection

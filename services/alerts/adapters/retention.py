"""What of the cases ages."""

from services.alerts.adapters.statements import SQL
from services.runtime.retention import Aged

TABLES = (
    Aged("alerts.cases", SQL["cases_forget"]),
    Aged("alerts.digests", SQL["digests_forget"]),
    Aged("alerts.provider_messages", SQL["provider_messages_forget"]),
    Aged("alerts.synthetic_alarms", SQL["runs_forget"]),
)
"""Steps, notices, receipts, requests and clocks go with their case: a unit test holds the list against the schema."""
CASES_AT_ONCE = 200
"""Each takes its notices with it, with their whole texts."""

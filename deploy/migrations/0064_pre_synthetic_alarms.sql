-- Synthetic alarms: when each passed what, and what became of it. No case, notice or signal of anybody is among them.
CREATE TABLE alerts.synthetic_alarms (
    run_id text PRIMARY KEY,
    why text NOT NULL CHECK (why IN ('schedule', 'command')),
    slot bigint,
    started_at timestamptz NOT NULL,
    due_at timestamptz NOT NULL,
    sent_at timestamptz,
    received_at timestamptz,
    alarm_at timestamptz,
    rules_at timestamptz,
    case_at timestamptz,
    notice_at timestamptz,
    receipt_at timestamptz,
    outcome text CHECK (outcome IN ('arrived', 'late', 'lost')),
    detail text NOT NULL DEFAULT ''
);
CREATE UNIQUE INDEX synthetic_alarms_slot ON alerts.synthetic_alarms (slot);
CREATE INDEX synthetic_alarms_started ON alerts.synthetic_alarms (started_at DESC);
CREATE INDEX synthetic_alarms_under_way ON alerts.synthetic_alarms (due_at) WHERE outcome IS NULL;

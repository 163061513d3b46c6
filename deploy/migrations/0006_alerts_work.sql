-- Alerts: what its workers need beside the contract of 0003.

-- Entries wait here, written in the transaction of what they tell of; one sealing task moves them into the hash chain.
-- A chain needs one writer at a time: sealing apart keeps that lock out of the fire lane's transactions.
CREATE TABLE alerts.audit_pending (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at      timestamptz NOT NULL,
    actor   text        NOT NULL,
    action  text        NOT NULL,
    case_id text,
    detail  jsonb       NOT NULL
);

ALTER TABLE alerts.cases
    ADD COLUMN carriers text[]  NOT NULL DEFAULT '{}',   -- of the unit's gateways when the case was opened
    ADD COLUMN burning  text[]  NOT NULL DEFAULT '{}',   -- fire: components that have not been restored
    ADD COLUMN alarms   integer NOT NULL DEFAULT 0;      -- fire: components told of so far

-- When the event that a notice tells of was received (fire: the latency that counts).
ALTER TABLE alerts.notices ADD COLUMN caused_at timestamptz;

CREATE INDEX cases_loose ON alerts.cases (last_sighting_at)
    WHERE state = 'open' AND kind = 'connection_lost' AND common_case_id IS NULL;
CREATE INDEX seen_at ON alerts.seen (seen_at);

-- Attempts by telephone of ordinary notices within the last day: what every process together has spent of a quota.
CREATE TABLE alerts.quota_spent (
    channel text        NOT NULL,
    address text        NOT NULL,
    at      timestamptz NOT NULL
);
CREATE INDEX quota_spent_newest ON alerts.quota_spent (channel, at);

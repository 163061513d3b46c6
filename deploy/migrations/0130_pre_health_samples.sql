-- What the health page draws of the last day (ADR 130): a row a minute, at most 11 520 of them, kept for 8 days.
CREATE TABLE console.health_samples (
    minute   timestamptz PRIMARY KEY CHECK (date_trunc('minute', minute, 'UTC') = minute),
    readings jsonb       NOT NULL CHECK (jsonb_typeof(readings) = 'object' AND octet_length(readings::text) <= 8192)
    -- numbers by what they are of; what could not be seen is absent
);

-- A case that flaps: when it began lately, since when it is kept open, and until when it must be quiet to be closed.
ALTER TABLE alerts.cases
    ADD COLUMN begins         timestamptz[] NOT NULL DEFAULT '{}',
    ADD COLUMN flapping_since timestamptz,
    ADD COLUMN quiet_until    timestamptz;
CREATE INDEX cases_quiet ON alerts.cases (quiet_until) WHERE state = 'open' AND quiet_until IS NOT NULL;

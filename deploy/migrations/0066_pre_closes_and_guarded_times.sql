-- What a body has missed at the closes of periods, and the days on which the clocks of a case run faster.
ALTER TABLE alerts.cases
    ADD COLUMN closes  jsonb NOT NULL DEFAULT '[]',
    ADD COLUMN guarded jsonb NOT NULL DEFAULT '[]';

-- Up to when outages are published, in microseconds since 1970; null: no version that publishes them has published yet.
-- The version before moves `published_closed` alone, so that this says what is not there after an upgrade, or a way back.
ALTER TABLE compliance.log_position ADD COLUMN outages_to bigint;

-- What ages is found by its time. The names are those that TimescaleDB gives the same index of a hypertable, which so
-- has one of them and not two.
CREATE INDEX IF NOT EXISTS transitions_effective_at_idx ON rules.transitions (effective_at DESC);
CREATE INDEX IF NOT EXISTS component_transitions_effective_at_idx ON rules.component_transitions (effective_at DESC);
CREATE INDEX IF NOT EXISTS signals_received_at_idx ON rules.signals (received_at DESC);
CREATE INDEX IF NOT EXISTS rate_samples_sampled_at_idx ON rules.rate_samples (sampled_at DESC);
CREATE INDEX IF NOT EXISTS heartbeats_hourly_hour_idx ON rules.heartbeats_hourly (hour DESC);
CREATE INDEX IF NOT EXISTS requests_of_case ON alerts.requests (case_id);    -- they go with their case

-- The counts of heartbeats are what grows most: 24 rows a unit and day.
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_extension WHERE extname = 'timescaledb') THEN
        PERFORM create_hypertable('rules.heartbeats_hourly', by_range('hour', INTERVAL '7 days'), migrate_data => true);
    END IF;
END $$;

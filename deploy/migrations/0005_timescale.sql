-- Hypertables where the server has TimescaleDB (its Apache-2 edition is enough); plain tables elsewhere.
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_available_extensions WHERE name = 'timescaledb') THEN
        CREATE EXTENSION IF NOT EXISTS timescaledb;
        PERFORM create_hypertable('rules.transitions', by_range('effective_at', INTERVAL '30 days'));
        PERFORM create_hypertable('rules.signals', by_range('received_at', INTERVAL '7 days'));
        PERFORM create_hypertable('rules.rate_samples', by_range('sampled_at', INTERVAL '30 days'));
    END IF;
END $$;

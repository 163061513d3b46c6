-- transactional: false
-- Acts of listings that the log does not have yet (ADR 122), looked for every turn.
-- Whoever waits here for a long transaction to end holds nobody up.
SET lock_timeout = '10min';

DROP INDEX CONCURRENTLY IF EXISTS alerts.listing_acts_unpublished;
CREATE INDEX CONCURRENTLY listing_acts_unpublished ON alerts.listing_acts (at) WHERE NOT published;

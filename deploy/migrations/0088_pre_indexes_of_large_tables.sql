-- transactional: false
-- Indexes that are built while others write. A build that was given up leaves an index that is not valid: it goes first.
-- Whoever waits here for a long transaction to end holds nobody up.
SET lock_timeout = '10min';

-- What came back before anybody took it stays in sight until somebody does.
DROP INDEX CONCURRENTLY IF EXISTS alerts.cases_returned;
CREATE INDEX CONCURRENTLY cases_returned ON alerts.cases (closed_at DESC NULLS LAST, case_id)
    INCLUDE (lead_department, town, copy_departments, close_reason) WHERE state = 'closed' AND acknowledged_at IS NULL;

DROP INDEX CONCURRENTLY IF EXISTS documents.mails_waiting;
CREATE INDEX CONCURRENTLY mails_waiting ON documents.mails (at DESC, mail_id) WHERE state = 'waiting';

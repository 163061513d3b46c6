-- What may be forgotten of the cases (ADR 46): one that was closed longer ago than the retention, with all that hangs on
-- it, once nothing of it is on its way and no clock of it runs. The audit chain and the papers stay.

-- cases_forget --
-- OFFSET 0: one look by index per case; joined, all clocks and notices would be read for a few cases.
WITH gone AS MATERIALIZED (
    SELECT case_id FROM alerts.cases AS old
    WHERE old.state = 'closed' AND old.closed_at < %(before)s
      AND NOT EXISTS (SELECT FROM alerts.cases AS member WHERE member.common_case_id = old.case_id OFFSET 0)
      AND NOT EXISTS (SELECT FROM alerts.clocks AS one WHERE one.case_id = old.case_id AND one.due_at >= %(before)s
                      OFFSET 0)
      AND NOT EXISTS (SELECT FROM alerts.notices AS one WHERE one.case_id = old.case_id
                      AND (one.state IN ('pending', 'sending') OR NOT one.published) OFFSET 0)
      AND NOT EXISTS (SELECT FROM alerts.requests AS one WHERE one.case_id = old.case_id AND one.state = 'waiting'
                      OFFSET 0)
      AND NOT EXISTS (SELECT FROM alerts.audit_pending AS one WHERE one.case_id = old.case_id OFFSET 0)
      AND NOT EXISTS (SELECT FROM alerts.listings AS one WHERE one.case_id = old.case_id
                      AND (one.ended_at IS NULL OR one.ended_at >= %(before)s) OFFSET 0)
    ORDER BY old.closed_at NULLS FIRST LIMIT %(rows)s FOR UPDATE SKIP LOCKED
), comments AS (DELETE FROM alerts.comments AS one USING gone WHERE one.case_id = gone.case_id),
   shelved AS (DELETE FROM alerts.shelved AS one USING gone WHERE one.case_id = gone.case_id),
   owners AS (DELETE FROM alerts.owners AS one USING gone WHERE one.case_id = gone.case_id),
   verifications AS (DELETE FROM alerts.verifications AS one USING gone WHERE one.case_id = gone.case_id),
   listing_files AS (DELETE FROM alerts.listing_files AS one USING gone WHERE one.case_id = gone.case_id),
   listing_acts AS (DELETE FROM alerts.listing_acts AS one USING gone WHERE one.case_id = gone.case_id),
   listings AS (DELETE FROM alerts.listings AS one USING gone WHERE one.case_id = gone.case_id),
   clocks AS (DELETE FROM alerts.clocks AS one USING gone WHERE one.case_id = gone.case_id),
   notices AS (DELETE FROM alerts.notices AS one USING gone WHERE one.case_id = gone.case_id),
   receipts AS (DELETE FROM alerts.receipts AS one USING gone WHERE one.case_id = gone.case_id),
   requests AS (DELETE FROM alerts.requests AS one USING gone WHERE one.case_id = gone.case_id),
   steps AS (DELETE FROM alerts.steps AS one USING gone WHERE one.case_id = gone.case_id)
DELETE FROM alerts.cases AS one USING gone WHERE one.case_id = gone.case_id

-- digests_forget --
-- The mail that told of many notices, once the last of them is gone.
WITH gone AS MATERIALIZED (
    SELECT digest_id FROM alerts.digests AS old
    WHERE old.ended_at < %(before)s AND old.state NOT IN ('pending', 'sending')
      AND NOT EXISTS (SELECT FROM alerts.notices AS one WHERE one.digest_id = old.digest_id OFFSET 0)
    ORDER BY old.ended_at LIMIT %(rows)s FOR UPDATE SKIP LOCKED
)
DELETE FROM alerts.digests AS one USING gone WHERE one.digest_id = gone.digest_id

-- provider_messages_forget --
-- Once the notice, or digest, is gone; their reports go with them.
WITH gone AS MATERIALIZED (
    SELECT channel, message_id FROM alerts.provider_messages AS old WHERE old.sent_at < %(before)s
      AND NOT EXISTS (SELECT FROM alerts.notices AS one WHERE one.notice_id = old.notice_id OFFSET 0)
      AND NOT EXISTS (SELECT FROM alerts.digests AS one WHERE one.digest_id = old.notice_id OFFSET 0)
    ORDER BY old.sent_at LIMIT %(rows)s FOR UPDATE SKIP LOCKED
)
DELETE FROM alerts.provider_messages AS one USING gone WHERE one.channel = gone.channel AND one.message_id = gone.message_id

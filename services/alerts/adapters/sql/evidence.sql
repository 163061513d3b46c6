-- All rows of one case, for its evidence bundle.

-- evidence_one_moment --
SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY

-- evidence_case --
SELECT * FROM alerts.cases WHERE case_id = %s

-- evidence_steps --
SELECT * FROM alerts.steps WHERE case_id = %s ORDER BY taken_at, step

-- evidence_clocks --
SELECT * FROM alerts.clocks WHERE case_id = %s ORDER BY due_at, kind, step

-- evidence_notices --
SELECT * FROM alerts.notices WHERE case_id = %s ORDER BY created_at, notice_id

-- evidence_receipts --
SELECT * FROM alerts.receipts WHERE case_id = %s ORDER BY at, body_code, step

-- evidence_requests --
SELECT * FROM alerts.requests WHERE case_id = %s ORDER BY created_at, request_id

-- evidence_listings --
SELECT * FROM alerts.listings WHERE case_id = %s ORDER BY number

-- evidence_listing_acts --
SELECT {listing_act_names} FROM alerts.listing_acts WHERE case_id = %s ORDER BY listing_id, number

-- evidence_listing_files --
SELECT * FROM alerts.listing_files WHERE case_id = %s ORDER BY listing_id, number, sha256

-- evidence_bounds --
SELECT min(seq), max(seq) FROM alerts.audit WHERE case_id = %s

-- evidence_pending --
SELECT count(*) FROM alerts.audit_pending WHERE case_id = %s

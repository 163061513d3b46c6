-- Synthetic alarms: rows of their own, in no way joined with cases.

-- run_names --
run_id, why, slot, started_at, due_at, sent_at, received_at, alarm_at, rules_at, case_at, notice_at, receipt_at, outcome, detail

-- run_begin --
-- A slot is begun once, whoever is first.
INSERT INTO alerts.synthetic_alarms (run_id, why, slot, started_at, due_at)
VALUES (%(run_id)s, %(why)s, %(slot)s, %(started_at)s, %(due_at)s)
ON CONFLICT DO NOTHING

-- run_passed --
-- The first time stands: records are read again after a restart.
UPDATE alerts.synthetic_alarms SET
    sent_at = coalesce(sent_at, CASE WHEN %(stage)s = 'sent' THEN %(at)s::timestamptz END),
    received_at = coalesce(received_at, CASE WHEN %(stage)s = 'received' THEN %(at)s::timestamptz END),
    alarm_at = coalesce(alarm_at, CASE WHEN %(stage)s = 'alarm' THEN %(at)s::timestamptz END),
    rules_at = coalesce(rules_at, CASE WHEN %(stage)s = 'rules' THEN %(at)s::timestamptz END),
    case_at = coalesce(case_at, CASE WHEN %(stage)s = 'case' THEN %(at)s::timestamptz END),
    notice_at = coalesce(notice_at, CASE WHEN %(stage)s = 'notice' THEN %(at)s::timestamptz END),
    receipt_at = coalesce(receipt_at, CASE WHEN %(stage)s = 'receipt' THEN %(at)s::timestamptz END)
WHERE run_id = %(run_id)s

-- run_case --
-- Once for each run: two processes, or one that reads again, tell it once.
UPDATE alerts.synthetic_alarms SET case_at = %s WHERE run_id = %s AND case_at IS NULL AND outcome IS NULL RETURNING run_id

-- run_detail --
UPDATE alerts.synthetic_alarms SET detail = %s WHERE run_id = %s AND detail = ''

-- runs_end --
UPDATE alerts.synthetic_alarms SET outcome = CASE
    WHEN num_nulls(sent_at, received_at, alarm_at, rules_at, case_at, notice_at, receipt_at) > 0 THEN 'lost'
    WHEN greatest(sent_at, received_at, alarm_at, rules_at, case_at, notice_at, receipt_at) > due_at THEN 'late'
    ELSE 'arrived' END
WHERE outcome IS NULL AND (due_at < %(now)s
    OR num_nulls(sent_at, received_at, alarm_at, rules_at, case_at, notice_at, receipt_at) = 0)
RETURNING {run_names}

-- run --
SELECT {run_names} FROM alerts.synthetic_alarms WHERE run_id = %s

-- run_last --
SELECT {run_names} FROM alerts.synthetic_alarms WHERE outcome IS NOT NULL ORDER BY started_at DESC LIMIT 1

-- run_last_arrived --
SELECT {run_names} FROM alerts.synthetic_alarms WHERE outcome = 'arrived' ORDER BY started_at DESC LIMIT 1

-- runs_forget --
DELETE FROM alerts.synthetic_alarms WHERE run_id IN (
    SELECT run_id FROM alerts.synthetic_alarms WHERE started_at < %(before)s ORDER BY started_at LIMIT %(rows)s)

-- chain_proven --
-- One partition without a watermark is enough for no proof at all.
SELECT CASE WHEN count(*) = count(watermark) THEN min(watermark) END FROM rules.partitions

-- chain_due --
SELECT min(next_attempt_at) FROM alerts.notices WHERE state IN ('pending', 'sending') AND next_attempt_at <= now()

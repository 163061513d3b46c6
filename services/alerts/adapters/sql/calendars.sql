-- Clocks that were counted by working days.

-- calendar_versions --
SELECT DISTINCT calendar_version FROM alerts.clocks WHERE calendar_version IS NOT NULL

-- cases_counted_by --
SELECT {whole_case} FROM alerts.cases c
WHERE c.case_id IN (SELECT k.case_id FROM alerts.clocks k WHERE k.calendar_version = ANY(%s))
ORDER BY c.case_id LIMIT %s FOR UPDATE OF c SKIP LOCKED

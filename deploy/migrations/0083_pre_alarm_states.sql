-- The seven states of ISA-18.2 (services/kernel/alarm_state.py): what somebody has put out of sight, and the facts.

-- A row that has run out, or is older than the trouble, shelves nothing: no worker has to sweep. Only alerts writes here.
CREATE TABLE alerts.shelved (
    case_id text        PRIMARY KEY REFERENCES alerts.cases,
    account text        NOT NULL,
    since   timestamptz NOT NULL,
    until   timestamptz NOT NULL,
    note    text        NOT NULL,
    CHECK (until > since AND until <= since + interval '24 hours')
);

-- By how many seconds steps come later that were not taken while somebody had the case, whose acknowledgement lapsed.
ALTER TABLE alerts.cases ADD COLUMN lapse_delay_s double precision NOT NULL DEFAULT 0;

-- The bits are those of AlarmFact. Of a case that is over nothing else is looked up: there are years of them. A view and no
-- function: PostgreSQL runs a function with questions in it row by row.
CREATE VIEW alerts.alarm_facts AS
SELECT c.case_id, c.state, c.acknowledged_at, c.closed_at,
       CASE WHEN c.state = 'closed' THEN 1 ELSE 0 END
     + CASE WHEN c.acknowledged_at IS NULL THEN 0 ELSE 2 END
     + CASE WHEN c.kind IN ('fire', 'unreadable_alarm', 'unregistered_alarm') THEN 4 ELSE 0 END
     + CASE WHEN c.state = 'closed' THEN CASE WHEN c.close_reason = 'registry' THEN 64 ELSE 0 END
       ELSE
         CASE WHEN EXISTS (SELECT FROM alerts.shelved s
                           WHERE s.case_id = c.case_id AND s.until > now() AND s.since >= c.detected_at)
              THEN 8 ELSE 0 END
       + CASE WHEN c.common_case_id IS NOT NULL AND coalesce(c.held_until > now(), false)
                OR c.subject_kind = 'unit' AND c.subject_id IN (
                     SELECT a.unit_id FROM registry.adjustments a
                     WHERE a.state IN ('approved', 'ended') AND a.what = 'maintenance'
                       AND a.system IS NULL AND a.trouble IS NULL AND a.starts_at <= now() AND a.ends_at > now())
              THEN 16 ELSE 0 END
       + CASE WHEN c.subject_kind = 'unit' AND EXISTS (
                     SELECT FROM rules.units u
                     WHERE u.unit_id = c.subject_id AND u.connection IN ('exempt', 'retired'))
              THEN 32 ELSE 0 END
       END AS facts
FROM alerts.cases c;

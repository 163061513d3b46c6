-- What ended a fire, in received times, so that whatever the slower of the two lanes brings later is known to be over.
ALTER TABLE alerts.cases
    ADD COLUMN ended       jsonb NOT NULL DEFAULT '{}',  -- ends that came by the fire lane, by what they cover
    ADD COLUMN restored_at timestamptz,                  -- the newest of these
    ADD COLUMN over_at     timestamptz;                  -- the newest end that rules told

-- The first notice of a fire, and of each further component, is never taken back. What it tells of is kept, so that it
-- can be written anew ("is over") when the fire has ended before it left.
ALTER TABLE alerts.notices
    ADD COLUMN first boolean NOT NULL DEFAULT false,
    ADD COLUMN about jsonb;

UPDATE alerts.notices n SET first = true
FROM alerts.cases c
WHERE c.case_id = n.case_id AND c.kind = 'fire' AND n.purpose = 'notice' AND n.state IN ('pending', 'sending')
  AND (n.step = c.ladder -> 0 ->> 'code' OR n.step LIKE (c.ladder -> 0 ->> 'code') || '.p%');

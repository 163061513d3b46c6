-- Judged once for each partition. Without OFFSET 0 the planner writes the judgement into each word that a reader asks of
-- each unit: a tally of 20 000 units then made it some 200 000 times.
CREATE OR REPLACE VIEW rules.visibility_now AS
SELECT partition, watermark, blind_after_s, saved_at,
       CASE WHEN watermark IS NULL OR now() - watermark > make_interval(secs => blind_after_s)
                 OR (watermark > now() AND now() - saved_at > make_interval(secs => blind_after_s))
            THEN 'blind' ELSE visibility END AS visibility
FROM rules.partitions
OFFSET 0;

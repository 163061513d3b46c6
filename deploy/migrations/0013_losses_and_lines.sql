-- A number that came after it had been told as lost takes the loss back, on the day on which that was told. What stands
-- here from before ingest waited for numbers that may still come was never taken back, and is no evidence: see RUNBOOK.
CREATE OR REPLACE VIEW rules.losses AS
SELECT gateway_id, unit_id, day,
       (count(*) FILTER (WHERE missing > 0))::integer AS gaps,
       sum(missing)::bigint AS missing,
       min(told_at) AS first_shown_at,
       max(told_at) AS last_shown_at
FROM (SELECT gateway_id, unit_id, missing, told_at, (told_at AT TIME ZONE 'Asia/Shanghai')::date AS day
      FROM (SELECT gateway_id, unit_id,
                   (body ->> 'missing')::bigint AS missing,
                   coalesce((body ->> 'first_received_at')::timestamptz, received_at) AS told_at
            FROM rules.signals
            WHERE kind = 'gap') AS told) AS dated
GROUP BY gateway_id, unit_id, day
HAVING sum(missing) > 0;

-- After ingest's clock was set back its proofs are ahead of ours for a while. Then their age says nothing: nobody looks
-- when none of them comes any more.
CREATE OR REPLACE VIEW rules.sight_now AS
SELECT partition, watermark, blind_after_s, saved_at,
       CASE WHEN watermark IS NULL OR now() - watermark > make_interval(secs => blind_after_s)
                 OR (watermark > now() AND now() - saved_at > make_interval(secs => blind_after_s))
            THEN 'blind' ELSE sight END AS sight
FROM rules.partitions;

-- A line that drops and comes back again and again: connected, and said to be unstable until the watermark passes.
ALTER TABLE rules.units ADD COLUMN line_drops integer NOT NULL DEFAULT 0;   -- within ten minutes, when last looked at
ALTER TABLE rules.units ADD COLUMN unstable_until timestamptz;

DROP VIEW rules.units_now;
CREATE VIEW rules.units_now AS
SELECT u.*, s.watermark, s.sight,
       CASE WHEN s.sight = 'blind' AND u.connection IN ('online', 'late', 'offline') THEN 'unknown'
            ELSE u.connection END AS connection_now,
       CASE WHEN s.sight = 'blind' AND u.health <> 'fire' THEN 'unknown' ELSE u.health END AS health_now,
       coalesce(u.unstable_until > s.watermark, false) AND s.sight <> 'blind' AS unstable_now
FROM rules.units u JOIN rules.sight_now s USING (partition);

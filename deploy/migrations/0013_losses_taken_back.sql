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

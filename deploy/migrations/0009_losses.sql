-- What the numbering of gateways proves to be lost in front of us, day by day in China: evidence, not a guess.
CREATE INDEX signals_gaps ON rules.signals (gateway_id, received_at) WHERE kind = 'gap';

CREATE VIEW rules.losses AS
SELECT gateway_id, unit_id,
       (received_at AT TIME ZONE 'Asia/Shanghai')::date AS day,
       count(*)::integer AS gaps,
       sum((body ->> 'missing')::bigint)::bigint AS missing,
       min(received_at) AS first_shown_at,
       max(received_at) AS last_shown_at
FROM rules.signals
WHERE kind = 'gap'
GROUP BY gateway_id, unit_id, day;

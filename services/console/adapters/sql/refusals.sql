-- Refusals: the bounded copy, its counts, orders to replay, and how far the log was read.

-- refusal_row --
refusal_id, received_at, reason, detail, gateway_id, topic, peer, instance, raw_bytes, state,
coalesce(ordered_at > %(lapsed)s, false), decided_at,
coalesce((SELECT a.display_name FROM console.accounts a WHERE a.username = decided_by), decided_by),
signals, decided_reason, decided_detail

-- refusal_where --
(%(reason)s::text IS NULL OR reason = %(reason)s) AND (%(gateway_id)s::text IS NULL OR gateway_id = %(gateway_id)s)
AND (%(state)s::text IS NULL OR state = %(state)s)

-- refusal_page --
SELECT {refusal_row} FROM console.refusals WHERE {refusal_where}
ORDER BY received_at DESC, refusal_id OFFSET %(offset)s LIMIT %(limit)s

-- refusal_total --
SELECT count(*) FROM console.refusals WHERE {refusal_where}

-- refusal_one --
SELECT {refusal_row}, partition, "offset", raw FROM console.refusals WHERE refusal_id = %(refusal_id)s

-- refusal_reasons --
SELECT reason, sum(refused)::bigint FROM console.refusal_counts WHERE hour >= %(since)s GROUP BY 1 ORDER BY 2 DESC, 1

-- refusal_gateways --
SELECT gateway_id, sum(refused)::bigint FROM console.refusal_counts WHERE hour >= %(since)s
GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT %(top)s

-- refusal_claim --
UPDATE console.refusals SET order_id = %(order_id)s, ordered_at = %(now)s
WHERE refusal_id = ANY(%(ids)s) AND state = 'open' AND (ordered_at IS NULL OR ordered_at <= %(lapsed)s)
RETURNING refusal_id, partition, "offset"

-- refusal_count --
INSERT INTO console.refusal_counts (hour, gateway_id, reason, refused) VALUES (%s, %s, %s, %s)
ON CONFLICT (hour, gateway_id, reason) DO UPDATE SET refused = refusal_counts.refused + excluded.refused
RETURNING refused

-- refusal_known --
SELECT DISTINCT gateway_id FROM console.refusal_counts WHERE hour = %s AND gateway_id = ANY(%s)

-- refusal_keep --
INSERT INTO console.refusals (refusal_id, partition, "offset", received_at, reason, detail, gateway_id, topic, peer,
    instance, raw_bytes, raw)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT (refusal_id) DO NOTHING

-- refusal_decided --
UPDATE console.refusals SET state = CASE WHEN %(accepted)s THEN 'replayed' ELSE state END, order_id = NULL,
    ordered_at = NULL, decided_at = %(at)s, decided_by = %(by)s, signals = %(signals)s, decided_reason = %(reason)s,
    decided_detail = %(detail)s
WHERE refusal_id = %(refusal_id)s

-- refusal_prune --
-- The newest rows are kept: an honest sender's refusal of today is worth more than a flood of last week.
DELETE FROM console.refusals WHERE received_at < greatest(%(before)s,
    coalesce((SELECT received_at FROM console.refusals ORDER BY received_at DESC OFFSET %(rows)s LIMIT 1), %(before)s))

-- order_insert --
INSERT INTO console.orders (order_id, username, ordered_at, refusals) VALUES (%s, %s, %s, %s)

-- order_sent --
UPDATE console.orders SET sent_at = %s WHERE order_id = %s

-- order_release --
UPDATE console.refusals SET order_id = NULL, ordered_at = NULL WHERE order_id = %s

-- partition_start_over --
UPDATE console.partitions SET next_offset = 0, owner_epoch = owner_epoch + 1 WHERE topic = %s

-- refusals_forget_counts_before --
DELETE FROM console.refusal_counts WHERE hour < %s

-- refusals_forget_all --
DELETE FROM console.refusals

-- refusals_forget_counts --
DELETE FROM console.refusal_counts

-- refusal_names_counted --
SELECT count(*) FROM console.refusal_counts WHERE hour = %s

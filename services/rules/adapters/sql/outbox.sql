-- Findings that wait to be sent.

-- waiting --
SELECT position, key, payload FROM rules.outbox WHERE partition = ANY(%(partitions)s) ORDER BY position LIMIT %(most)s

-- sent --
DELETE FROM rules.outbox WHERE position = ANY(%(positions)s)

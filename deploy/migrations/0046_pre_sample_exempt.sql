-- A sample says how many of its units were exempt: they are in `in_scope` and in no rate. NULL: not known, as in those
-- from before. The last sample of a counter that has not changed since gets what the counter says today.
ALTER TABLE rules.rate_samples ADD COLUMN exempt integer;

UPDATE rules.rate_samples AS held SET exempt = now.exempt
FROM rules.rate_counts AS now
WHERE (held.partition, held.scope, held.dimension, held.value) = (now.partition, now.scope, now.dimension, now.value)
  AND (held.in_scope, held.connected, held.unknown) = (now.in_scope, now.connected, now.unknown)
  AND held.sampled_at = (SELECT max(one.sampled_at) FROM rules.rate_samples AS one
                         WHERE (one.partition, one.scope, one.dimension, one.value)
                             = (held.partition, held.scope, held.dimension, held.value));

-- Who reads a partition of a topic, and how far. `{schema}` is the service's own.

-- claim --
INSERT INTO {schema}.partitions (topic, partition, owner, owner_epoch) VALUES (%s, %s, %s, 1)
ON CONFLICT (topic, partition) DO UPDATE SET owner = excluded.owner, owner_epoch = partitions.owner_epoch + 1
RETURNING owner_epoch, next_offset

-- advance --
UPDATE {schema}.partitions SET next_offset = %s WHERE topic = %s AND partition = %s AND owner_epoch = %s

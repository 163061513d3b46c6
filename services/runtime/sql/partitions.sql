-- Who reads a partition of a topic, and how far. `{schema}` is the service's own.

-- claim --
INSERT INTO {schema}.partitions (topic, partition, owner, owner_epoch) VALUES (%s, %s, %s, 1)
ON CONFLICT (topic, partition) DO UPDATE SET owner = excluded.owner, owner_epoch = partitions.owner_epoch + 1
RETURNING owner_epoch, next_offset

-- advance --
UPDATE {schema}.partitions SET next_offset = %s WHERE topic = %s AND partition = %s AND owner_epoch = %s

-- positions --
SELECT topic, partition, next_offset, topic_id FROM {schema}.partitions ORDER BY topic, partition

-- move_position --
-- The epoch counts up: whoever reads the partition at this moment saves nothing more.
UPDATE {schema}.partitions SET next_offset = %(goal)s, owner_epoch = owner_epoch + 1, topic_id = NULL
WHERE topic = %(topic)s AND partition = %(partition)s AND next_offset = %(saved)s

-- topic_ids --
SELECT partition, topic_id FROM {schema}.partitions WHERE topic = %(topic)s AND topic_id IS NOT NULL

-- note_topic_id --
UPDATE {schema}.partitions SET topic_id = %(topic_id)s WHERE topic = %(topic)s AND partition = ANY(%(partitions)s)

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
UPDATE {schema}.partitions SET next_offset = %(goal)s, owner_epoch = owner_epoch + 1, topic_id = %(topic_id)s
WHERE topic = %(topic)s AND partition = %(partition)s AND next_offset = %(saved)s

-- topic_ids --
SELECT partition, topic_id FROM {schema}.partitions WHERE topic = %(topic)s AND topic_id IS NOT NULL

-- note_topic_id --
-- The id and the offset that is of it, together: an offset of the topic before beside the id of this one would pass for
-- one of this topic. Whoever owns the partition by now, and has read on, has saved another offset: it stays.
UPDATE {schema}.partitions AS held
SET topic_id = coalesce(%(topic_id)s, held.topic_id), next_offset = told.next_offset
FROM unnest(%(partitions)s::integer[], %(saved_offsets)s::bigint[], %(next_offsets)s::bigint[])
    AS told (partition, saved, next_offset)
WHERE held.topic = %(topic)s AND held.partition = told.partition AND held.next_offset = told.saved

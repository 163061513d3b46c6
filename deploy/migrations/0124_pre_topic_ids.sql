-- Which topic a saved offset belongs to: Kafka's id of it. A topic that was made anew has another one, and grows past
-- the offsets of the one before. NULL: not known yet; whoever reads the partition next writes it down.
ALTER TABLE rules.partitions ADD COLUMN topic_id text;
ALTER TABLE alerts.partitions ADD COLUMN topic_id text;
ALTER TABLE documents.partitions ADD COLUMN topic_id text;
ALTER TABLE console.partitions ADD COLUMN topic_id text;

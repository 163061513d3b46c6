-- Which components of a fire somebody was told of: what the fire lane brings when it is over is told unless it was.
ALTER TABLE alerts.cases ADD COLUMN reported text[] NOT NULL DEFAULT '{}';
UPDATE alerts.cases SET reported = burning WHERE kind = 'fire' AND cardinality(burning) > 0;

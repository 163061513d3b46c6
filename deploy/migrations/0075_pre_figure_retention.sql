-- Which part of what compliance keeps of the log is gone, and from where each gateway is computed since (ADR 75).
ALTER TABLE compliance.log_position ADD COLUMN kept_day integer NOT NULL DEFAULT 0;  -- days before it are final
ALTER TABLE compliance.units ADD COLUMN kept json NOT NULL DEFAULT '[]';  -- cuts before kept_day: heartbeats before are gone

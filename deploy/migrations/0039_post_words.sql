-- Nothing of the version that said `sight` and `told` runs any more.
DROP VIEW rules.units_now;
CREATE VIEW rules.units_now AS
SELECT u.*, v.watermark, v.visibility,
       CASE WHEN v.visibility = 'blind' AND u.connection IN ('online', 'late', 'offline') THEN 'unknown'
            ELSE u.connection END AS connection_now,
       CASE WHEN v.visibility = 'blind' AND u.health <> 'fire' THEN 'unknown' ELSE u.health END AS health_now,
       coalesce(u.unstable_until > v.watermark, false) AND v.visibility <> 'blind' AS unstable_now
FROM rules.units u JOIN rules.visibility_now v USING (partition);
DROP VIEW rules.sight_now;

DROP TRIGGER partition_visibility ON rules.partitions;
DROP FUNCTION rules.partition_visibility();
ALTER TABLE rules.partitions
    DROP COLUMN sight,
    ALTER COLUMN visibility SET DEFAULT 'blind',
    ALTER COLUMN visibility SET NOT NULL,
    ADD CONSTRAINT known_visibility CHECK (visibility IN ('clear', 'impaired', 'blind'));

DROP TRIGGER step_recipients ON alerts.steps;
DROP FUNCTION alerts.step_recipients();
ALTER TABLE alerts.steps
    DROP COLUMN told,
    ALTER COLUMN recipients SET NOT NULL;

-- What was called `sight` is the visibility of a partition: clear, impaired or blind.
ALTER TABLE rules.partitions ADD COLUMN visibility text;
UPDATE rules.partitions SET visibility = sight;

-- The version before writes and reads `sight`, this one `visibility`; both may run until all are restarted. Whatever the
-- one writes stands in the place of the other as well.
CREATE FUNCTION rules.partition_visibility() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.visibility IS NOT NULL AND (TG_OP = 'INSERT' OR NEW.visibility IS DISTINCT FROM OLD.visibility) THEN
        NEW.sight := NEW.visibility;
    ELSE
        NEW.visibility := NEW.sight;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER partition_visibility BEFORE INSERT OR UPDATE OF sight, visibility ON rules.partitions
    FOR EACH ROW EXECUTE FUNCTION rules.partition_visibility();

-- After ingest's clock was set back its proofs are ahead of ours for a while. Then their age says nothing: nobody looks
-- when none of them comes any more.
CREATE VIEW rules.visibility_now AS
SELECT partition, watermark, blind_after_s, saved_at,
       CASE WHEN watermark IS NULL OR now() - watermark > make_interval(secs => blind_after_s)
                 OR (watermark > now() AND now() - saved_at > make_interval(secs => blind_after_s))
            THEN 'blind' ELSE visibility END AS visibility
FROM rules.partitions;

CREATE OR REPLACE VIEW rules.rates_now AS
SELECT c.scope, c.dimension, c.value,
       sum(c.in_scope)::integer AS in_scope,
       sum(CASE WHEN v.visibility = 'blind' THEN 0 ELSE c.connected END)::integer AS connected,
       sum(CASE WHEN v.visibility = 'blind' THEN 0 ELSE c.late END)::integer AS late,
       sum(CASE WHEN v.visibility = 'blind' THEN 0 ELSE c.offline END)::integer AS offline,
       sum(CASE WHEN v.visibility = 'blind' THEN c.connected + c.offline + c.unknown
                ELSE c.unknown END)::integer AS unknown,
       sum(c.never)::integer AS never,
       sum(c.commissioning)::integer AS commissioning,
       sum(c.exempt)::integer AS exempt,
       min(v.watermark) AS watermark
FROM rules.rate_counts c JOIN rules.visibility_now v USING (partition)
GROUP BY c.scope, c.dimension, c.value;

-- Whom a step is for are its recipients, here as everywhere; the version before calls them `told`.
ALTER TABLE alerts.steps ADD COLUMN recipients text[];
UPDATE alerts.steps SET recipients = told;

CREATE FUNCTION alerts.step_recipients() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.recipients := coalesce(NEW.recipients, NEW.told);
    NEW.told := coalesce(NEW.told, NEW.recipients);
    RETURN NEW;
END $$;
CREATE TRIGGER step_recipients BEFORE INSERT ON alerts.steps FOR EACH ROW EXECUTE FUNCTION alerts.step_recipients();

-- From when a clock of working days was counted, so that it can be counted again when the calendar is known better.
ALTER TABLE alerts.clocks ADD COLUMN counted_from timestamptz;
UPDATE alerts.clocks k SET counted_from = CASE k.kind WHEN 'step' THEN c.detected_at ELSE s.taken_at END
FROM alerts.cases c LEFT JOIN alerts.steps s USING (case_id)
WHERE c.case_id = k.case_id AND (k.kind = 'step' OR s.step = k.step) AND k.calendar_version IS NOT NULL;
CREATE INDEX clocks_counted ON alerts.clocks (calendar_version) WHERE calendar_version IS NOT NULL;

-- Where the version that kept clocks in columns may still run (0023), its clocks have one column more: none were counted.
DO $$ BEGIN
    IF EXISTS (SELECT FROM pg_proc
               WHERE pronamespace = 'alerts'::regnamespace AND proname = 'clocks_in_columns') THEN
        CREATE OR REPLACE FUNCTION alerts.clocks_in_columns(c alerts.cases)
        RETURNS SETOF alerts.clocks LANGUAGE sql STABLE AS $f$
            SELECT c.case_id, 'step', c.next_step_at, coalesce(c.next_step, ''), NULL::text, NULL::timestamptz
            WHERE c.state = 'open' AND c.next_step_at IS NOT NULL
            UNION ALL
            SELECT c.case_id, 'reply', c.reply_due_at,
                   coalesce((SELECT s ->> 'code' FROM jsonb_array_elements(c.ladder) WITH ORDINALITY l (s, n)
                             WHERE s ->> 'reply_working_days' IS NOT NULL ORDER BY n DESC LIMIT 1), c.step, ''),
                   NULL::text, NULL::timestamptz
            WHERE c.reply_due_at IS NOT NULL
        $f$;
    END IF;
END $$;

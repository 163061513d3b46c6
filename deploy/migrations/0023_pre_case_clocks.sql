-- The clocks of a case are rows, side by side, instead of a column for each.
CREATE TABLE alerts.clocks (
    case_id          text        NOT NULL REFERENCES alerts.cases,
    kind             text        NOT NULL,
    due_at           timestamptz NOT NULL,    -- real time (clock rate applied)
    step             text        NOT NULL,    -- the step that is taken then, or whose letter is to be answered by then
    calendar_version text,                    -- the working days that it was counted by; null: none were
    PRIMARY KEY (case_id, kind),
    CONSTRAINT known_clock CHECK (kind IN ('step', 'reply', 'receipt', 'un_acknowledge'))
);
CREATE INDEX clocks_due ON alerts.clocks (kind, due_at);

-- The version before knows the columns only, this one the rows only; both may run until all are restarted. Whatever the
-- one writes stands in the place of the other as well, in the same transaction; what a trigger wrote triggers nothing.
CREATE FUNCTION alerts.clocks_in_columns(c alerts.cases) RETURNS SETOF alerts.clocks LANGUAGE sql STABLE AS $$
    SELECT c.case_id, 'step', c.next_step_at, coalesce(c.next_step, ''), NULL
    WHERE c.state = 'open' AND c.next_step_at IS NOT NULL
    UNION ALL
    SELECT c.case_id, 'reply', c.reply_due_at,
           coalesce((SELECT s ->> 'code' FROM jsonb_array_elements(c.ladder) WITH ORDINALITY l (s, n)
                     WHERE s ->> 'reply_working_days' IS NOT NULL ORDER BY n DESC LIMIT 1), c.step, ''), NULL
    WHERE c.reply_due_at IS NOT NULL
$$;

INSERT INTO alerts.clocks SELECT k.* FROM alerts.cases c CROSS JOIN LATERAL alerts.clocks_in_columns(c) k;

CREATE FUNCTION alerts.case_wrote_clocks() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM alerts.clocks k WHERE k.case_id = NEW.case_id AND k.kind IN ('step', 'reply')
       AND NOT EXISTS (SELECT FROM alerts.clocks_in_columns(NEW) n WHERE n.kind = k.kind);
    INSERT INTO alerts.clocks AS k SELECT * FROM alerts.clocks_in_columns(NEW)
    ON CONFLICT (case_id, kind) DO UPDATE
       SET due_at = excluded.due_at, step = excluded.step, calendar_version = excluded.calendar_version
       WHERE k.due_at <> excluded.due_at;
    RETURN NULL;
END $$;
CREATE TRIGGER case_wrote_clocks AFTER INSERT OR UPDATE OF next_step, next_step_at, reply_due_at ON alerts.cases
    FOR EACH ROW WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION alerts.case_wrote_clocks();

CREATE FUNCTION alerts.clock_wrote_case() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    was alerts.clocks := coalesce(NEW, OLD);
    due timestamptz := NEW.due_at;
BEGIN
    IF was.kind = 'step' THEN
        UPDATE alerts.cases SET next_step = NEW.step, next_step_at = due WHERE case_id = was.case_id;
    ELSIF was.kind = 'reply' THEN
        UPDATE alerts.cases SET reply_due_at = due WHERE case_id = was.case_id;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER clock_wrote_case AFTER INSERT OR UPDATE OR DELETE ON alerts.clocks
    FOR EACH ROW WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION alerts.clock_wrote_case();

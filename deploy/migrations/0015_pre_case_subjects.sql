-- A case is about a subject: a unit, a body, a common cause, or FireNet itself. `unit_id` stays for readers of before.
ALTER TABLE alerts.cases
    ADD COLUMN subject_kind text,     -- unit, body, common_cause, system
    ADD COLUMN subject_id   text;      -- the unit's id; of a common cause DISTRICT/carrier:NAME or DISTRICT/town:CODE

UPDATE alerts.cases SET
    subject_kind = CASE WHEN kind = 'common_cause' THEN 'common_cause' ELSE 'unit' END,
    subject_id   = CASE WHEN kind = 'common_cause' THEN district || '/' || coalesce(cause_key, '')
                        ELSE coalesce(unit_id, '') END;

-- The version before writes unit_id and no subject, this one a subject and no unit_id; both may run until all are
-- restarted. With both filled in the unique indexes of before hold for both.
CREATE FUNCTION alerts.case_subject() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.subject_kind IS NULL THEN
        NEW.subject_kind := CASE WHEN NEW.kind = 'common_cause' THEN 'common_cause' ELSE 'unit' END;
        NEW.subject_id   := CASE WHEN NEW.kind = 'common_cause' THEN NEW.district || '/' || coalesce(NEW.cause_key, '')
                                 ELSE coalesce(NEW.unit_id, '') END;
    ELSIF NEW.subject_kind = 'unit' THEN
        NEW.unit_id := NEW.subject_id;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER case_subject BEFORE INSERT ON alerts.cases FOR EACH ROW EXECUTE FUNCTION alerts.case_subject();

CREATE INDEX cases_recent_of_subject ON alerts.cases (subject_kind, subject_id, kind, closed_at DESC);

-- Nothing of the version without subjects runs any more: one open case per subject and kind is one rule.
ALTER TABLE alerts.cases
    ALTER COLUMN subject_kind SET NOT NULL,
    ALTER COLUMN subject_id SET NOT NULL,
    ADD CONSTRAINT known_subject CHECK (subject_kind IN ('unit', 'body', 'common_cause', 'system'));

CREATE UNIQUE INDEX one_open_case_of_subject ON alerts.cases (subject_kind, subject_id, kind) WHERE state = 'open';
DROP INDEX alerts.one_open_case;
DROP INDEX alerts.one_open_common_case;
DROP INDEX alerts.cases_recent;

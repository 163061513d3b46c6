-- What was told of the grades of bodies (services/compliance/domain/grades.py): one row a scheme and body. Only compliance
-- writes here.
CREATE TABLE compliance.grade_findings (
    scheme_id  text        NOT NULL,
    body_id    text        NOT NULL,
    finding_id text        NOT NULL,
    year_from  timestamptz NOT NULL,
    revision   integer     NOT NULL,     -- of the score that says so
    is_open    boolean     NOT NULL,
    PRIMARY KEY (scheme_id, body_id)
);

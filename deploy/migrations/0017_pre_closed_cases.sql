-- The page lists closed cases by the time they were closed, and counts them. With what makes a slice beside the order
-- both are answered by the index alone: the rows of years are wide, and few of them are a small department's.
CREATE INDEX cases_closed ON alerts.cases (closed_at DESC NULLS LAST, case_id)
    INCLUDE (lead_department, town, copy_departments) WHERE state = 'closed';

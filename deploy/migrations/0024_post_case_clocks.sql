-- Nothing of the version that kept clocks in columns runs any more.
DROP TRIGGER case_wrote_clocks ON alerts.cases;
DROP TRIGGER clock_wrote_case ON alerts.clocks;
DROP FUNCTION alerts.case_wrote_clocks();
DROP FUNCTION alerts.clock_wrote_case();
DROP FUNCTION alerts.clocks_in_columns(alerts.cases);
ALTER TABLE alerts.cases
    DROP COLUMN next_step,
    DROP COLUMN next_step_at,
    DROP COLUMN reply_due_at;

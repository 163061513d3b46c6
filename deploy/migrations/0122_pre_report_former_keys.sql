-- The keys of recipients who were taken out of a schedule. Mails that they have already carry them: whoever is chosen again
-- has another key, and an older link still ends what he gets now (ADR 97). Of those before this migration nothing is known.
CREATE TABLE console.report_former_keys (
    stop_key    text   PRIMARY KEY,
    schedule_id bigint NOT NULL REFERENCES console.report_schedules,
    contact_id  text   NOT NULL
);

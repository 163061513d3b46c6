-- The keys of recipients who were taken out of a schedule. Mails that they have already carry them: whoever is chosen again
-- has another key, and an older link still ends what he gets now (ADR 97). Of those before this migration nothing is known.
CREATE TABLE console.report_former_keys (
    stop_key    text   PRIMARY KEY,
    schedule_id bigint NOT NULL REFERENCES console.report_schedules,
    contact_id  text   NOT NULL
);

-- Acts of listings go to firenet.listings.v1 (ADR 122). `due_at`: when the deadline passes, as it stands after the act; null
-- of one that a version before wrote, and before the listing. Those that there are already are published too.
ALTER TABLE alerts.listing_acts ADD COLUMN due_at timestamptz;
ALTER TABLE alerts.listing_acts ADD COLUMN published boolean NOT NULL DEFAULT false;

-- The same acts as the log told them: whoever is evaluated by listings is scored from these.
CREATE TABLE compliance.listing_acts (
    listing_id text        NOT NULL,
    number     integer     NOT NULL,                      -- of the act within its listing, from 1
    act        text        NOT NULL,
    at         timestamptz NOT NULL,
    due_at     timestamptz,
    unit_id    text        NOT NULL,
    district   text        NOT NULL,                      -- '' where the case has none, and so the next two
    town       text        NOT NULL,
    department text        NOT NULL,
    PRIMARY KEY (listing_id, number)
);

-- Digests: one mail for many notices to one address.
CREATE TABLE alerts.digests (
    digest_id       text        PRIMARY KEY,   -- derived from its members; the Message-ID of the mail
    body_code       text        NOT NULL,
    contact_id      text        NOT NULL,
    channel         text        NOT NULL,
    address         text        NOT NULL,
    lang            text        NOT NULL,
    named           integer     NOT NULL,      -- so many are told one by one, the others counted
    members         integer     NOT NULL,      -- when it was made; alerts.notices.digest_id says which
    subject         text        NOT NULL DEFAULT '',   -- as it was sent last
    body            text        NOT NULL DEFAULT '',
    created_at      timestamptz NOT NULL,
    state           text        NOT NULL CHECK (state IN ('pending', 'sending', 'accepted', 'dead', 'cancelled')),
    attempts        integer     NOT NULL DEFAULT 0,
    next_attempt_at timestamptz,               -- while it is sent: when the lease ends
    ended_at        timestamptz,
    reason          text,
    detail          text
);
CREATE INDEX digests_due ON alerts.digests (next_attempt_at) WHERE state IN ('pending', 'sending');

-- Null: may not leave in a digest (fire, common cause, webhook, and all that the version before writes).
ALTER TABLE alerts.notices
    ADD COLUMN group_state text,
    ADD COLUMN digest_id   text;
CREATE INDEX notices_to_group ON alerts.notices (next_attempt_at) WHERE group_state = 'waits' AND state = 'pending';
CREATE INDEX notices_of_digest ON alerts.notices (digest_id) WHERE digest_id IS NOT NULL;

-- The clocks of each address: until when notices wait for others, and before when no further mail leaves.
CREATE TABLE alerts.group_clocks (
    contact_id  text NOT NULL,
    channel     text NOT NULL,
    address     text NOT NULL,
    wait_until  timestamptz,
    quiet_until timestamptz,
    PRIMARY KEY (contact_id, channel, address)
);

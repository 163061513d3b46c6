-- Console: refusals as people look at them here. The log has all of them; this is a bounded copy. Only console writes here.
CREATE TABLE console.refusals (
    refusal_id    text        PRIMARY KEY,
    partition     integer     NOT NULL,             -- its place on firenet.refusals.v1
    "offset"      bigint      NOT NULL,
    received_at   timestamptz NOT NULL,
    reason        text        NOT NULL,
    detail        text        NOT NULL,
    gateway_id    text        NOT NULL,             -- what it claims to be from; '' for nobody
    topic         text        NOT NULL,             -- cut to 300 characters
    peer          text        NOT NULL DEFAULT '',  -- of a device without a broker
    instance      text        NOT NULL,
    raw_bytes     bigint      NOT NULL,
    raw           bytea       NOT NULL,             -- the first 4 KiB
    state         text        NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'replayed')),
    order_id      text,                             -- a replay that was ordered and has not come back
    ordered_at    timestamptz,
    decided_at    timestamptz,                      -- the last replay and what became of it
    decided_by    text,
    signals       integer,
    decided_reason text,
    decided_detail text
);
CREATE INDEX refusals_newest ON console.refusals (received_at DESC, refusal_id);
CREATE INDEX refusals_by_gateway ON console.refusals (gateway_id, received_at DESC);

-- How many there were, also of those whose rows are not kept here.
CREATE TABLE console.refusal_counts (
    hour       timestamptz NOT NULL,
    gateway_id text        NOT NULL,
    reason     text        NOT NULL,
    refused    bigint      NOT NULL,
    PRIMARY KEY (hour, gateway_id, reason)
);

-- Who ordered which replay, and whether the order reached the log.
CREATE TABLE console.orders (
    order_id   text        PRIMARY KEY,
    username   text        NOT NULL,
    ordered_at timestamptz NOT NULL,
    refusals   text[]      NOT NULL,
    sent_at    timestamptz
);

CREATE TABLE console.partitions (
    topic       text    NOT NULL,
    partition   integer NOT NULL,
    next_offset bigint  NOT NULL DEFAULT 0,
    owner       text    NOT NULL DEFAULT '',
    owner_epoch bigint  NOT NULL DEFAULT 0,
    PRIMARY KEY (topic, partition)
);

-- What all of deploy/migrations make, as PostgreSQL tells it. Written by `make schema`; not for running.

CREATE VIEW alerts.alarm_facts AS
 SELECT case_id,
    state,
    acknowledged_at,
    closed_at,
    (((
        CASE
            WHEN (state = 'closed'::text) THEN 1
            ELSE 0
        END +
        CASE
            WHEN (acknowledged_at IS NULL) THEN 0
            ELSE 2
        END) +
        CASE
            WHEN (kind = ANY (ARRAY['fire'::text, 'unreadable_alarm'::text, 'unregistered_alarm'::text])) THEN 4
            ELSE 0
        END) +
        CASE
            WHEN (state = 'closed'::text) THEN
            CASE
                WHEN (close_reason = 'registry'::text) THEN 64
                ELSE 0
            END
            ELSE ((
            CASE
                WHEN (EXISTS ( SELECT
                   FROM alerts.shelved s
                  WHERE ((s.case_id = c.case_id) AND (s.until > now()) AND (s.since >= c.detected_at)))) THEN 8
                ELSE 0
            END +
            CASE
                WHEN (((common_case_id IS NOT NULL) AND COALESCE((held_until > now()), false)) OR ((subject_kind = 'unit'::text) AND (subject_id IN ( SELECT a.unit_id
                   FROM registry.adjustments a
                  WHERE ((a.state = ANY (ARRAY['approved'::text, 'ended'::text])) AND (a.what = 'maintenance'::text) AND (a.system IS NULL) AND (a.trouble IS NULL) AND (a.starts_at <= now()) AND (a.ends_at > now())))))) THEN 16
                ELSE 0
            END) +
            CASE
                WHEN ((subject_kind = 'unit'::text) AND (EXISTS ( SELECT
                   FROM rules.units u
                  WHERE ((u.unit_id = c.subject_id) AND (u.connection = ANY (ARRAY['exempt'::text, 'retired'::text])))))) THEN 32
                ELSE 0
            END)
        END) AS facts
   FROM alerts.cases c;

CREATE TABLE alerts.audit (
    action text NOT NULL,
    actor text NOT NULL,
    at timestamp with time zone NOT NULL,
    case_id text,
    detail jsonb NOT NULL,
    hash text NOT NULL,
    prev_hash text NOT NULL,
    seq bigint NOT NULL,
    CONSTRAINT audit_pkey PRIMARY KEY (seq)
);
CREATE INDEX audit_by_case ON alerts.audit USING btree (case_id, seq);

CREATE TABLE alerts.audit_pending (
    action text NOT NULL,
    actor text NOT NULL,
    at timestamp with time zone NOT NULL,
    case_id text,
    detail jsonb NOT NULL,
    id bigint NOT NULL DEFAULT identity,
    CONSTRAINT audit_pending_pkey PRIMARY KEY (id)
);

CREATE TABLE alerts.cases (
    acknowledged_at timestamp with time zone,
    acknowledged_by text,
    acknowledged_note text,
    acknowledged_step text,
    acknowledged_via text,
    alarms integer NOT NULL DEFAULT 0,
    begins timestamp with time zone[] NOT NULL DEFAULT '{}'::timestamp with time zone[],
    burning text[] NOT NULL DEFAULT '{}'::text[],
    carriers text[] NOT NULL DEFAULT '{}'::text[],
    case_id text NOT NULL,
    category text NOT NULL DEFAULT ''::text,
    cause_key text,
    clause text NOT NULL,
    close_reason text,
    closed_at timestamp with time zone,
    closes jsonb NOT NULL DEFAULT '[]'::jsonb,
    common_case_id text,
    copy_departments text[] NOT NULL DEFAULT '{}'::text[],
    cured_at timestamp with time zone,
    detected_at timestamp with time zone NOT NULL,
    district text NOT NULL DEFAULT ''::text,
    drops integer NOT NULL DEFAULT 1,
    effective_at timestamp with time zone NOT NULL,
    ended jsonb NOT NULL DEFAULT '{}'::jsonb,
    evidence jsonb NOT NULL,
    finding_id text NOT NULL,
    flapping_since timestamp with time zone,
    guarded jsonb NOT NULL DEFAULT '[]'::jsonb,
    held_until timestamp with time zone,
    kind text NOT NULL,
    ladder jsonb NOT NULL,
    lapse_delay_s double precision NOT NULL DEFAULT 0,
    last_sighting_at timestamp with time zone NOT NULL,
    lead_department text NOT NULL DEFAULT ''::text,
    lease_until timestamp with time zone,
    listing_due_at timestamp with time zone,
    listing_id text,
    opened_at timestamp with time zone NOT NULL,
    over_at timestamp with time zone,
    pack_id text NOT NULL,
    pack_version integer NOT NULL,
    place jsonb,
    quiet_until timestamp with time zone,
    reported text[] NOT NULL DEFAULT '{}'::text[],
    restored_at timestamp with time zone,
    revision bigint NOT NULL DEFAULT 1,
    route_clause text NOT NULL DEFAULT ''::text,
    sightings integer NOT NULL DEFAULT 1,
    state text NOT NULL,
    step text,
    subject_id text NOT NULL,
    subject_kind text NOT NULL,
    town text NOT NULL DEFAULT ''::text,
    unit_id text,
    unit_name text NOT NULL DEFAULT ''::text,
    unit_name_en text NOT NULL DEFAULT ''::text,
    CONSTRAINT cases_common_case_id_fkey FOREIGN KEY (common_case_id) REFERENCES alerts.cases(case_id),
    CONSTRAINT cases_pkey PRIMARY KEY (case_id),
    CONSTRAINT cases_state_check CHECK ((state = ANY (ARRAY['open'::text, 'closed'::text]))),
    CONSTRAINT known_subject CHECK ((subject_kind = ANY (ARRAY['unit'::text, 'body'::text, 'common_cause'::text, 'system'::text])))
);
CREATE INDEX cases_closed ON alerts.cases USING btree (closed_at DESC NULLS LAST, case_id) INCLUDE (lead_department, town, copy_departments) WHERE (state = 'closed'::text);
CREATE INDEX cases_common ON alerts.cases USING btree (common_case_id) WHERE (common_case_id IS NOT NULL);
CREATE INDEX cases_loose ON alerts.cases USING btree (last_sighting_at) WHERE ((state = 'open'::text) AND (kind = 'connection_lost'::text) AND (common_case_id IS NULL));
CREATE INDEX cases_open ON alerts.cases USING btree (opened_at, case_id) WHERE (state = 'open'::text);
CREATE INDEX cases_opened ON alerts.cases USING btree (opened_at DESC);
CREATE INDEX cases_quiet ON alerts.cases USING btree (quiet_until) WHERE ((state = 'open'::text) AND (quiet_until IS NOT NULL));
CREATE INDEX cases_recent_of_subject ON alerts.cases USING btree (subject_kind, subject_id, kind, closed_at DESC);
CREATE INDEX cases_returned ON alerts.cases USING btree (closed_at DESC NULLS LAST, case_id) INCLUDE (lead_department, town, copy_departments, close_reason) WHERE ((state = 'closed'::text) AND (acknowledged_at IS NULL));
CREATE INDEX fires_untaken ON alerts.cases USING btree (closed_at DESC) WHERE ((state = 'closed'::text) AND (kind = 'fire'::text) AND (acknowledged_at IS NULL));
CREATE UNIQUE INDEX one_open_case_of_subject ON alerts.cases USING btree (subject_kind, subject_id, kind) WHERE (state = 'open'::text);

CREATE TABLE alerts.clocks (
    calendar_version text,
    case_id text NOT NULL,
    counted_from timestamp with time zone,
    due_at timestamp with time zone NOT NULL,
    kind text NOT NULL,
    step text NOT NULL,
    CONSTRAINT clocks_case_id_fkey FOREIGN KEY (case_id) REFERENCES alerts.cases(case_id),
    CONSTRAINT clocks_pkey PRIMARY KEY (case_id, kind),
    CONSTRAINT known_clock CHECK ((kind = ANY (ARRAY['step'::text, 'reply'::text, 'receipt'::text, 'un_acknowledge'::text])))
);
CREATE INDEX clocks_counted ON alerts.clocks USING btree (calendar_version) WHERE (calendar_version IS NOT NULL);
CREATE INDEX clocks_due ON alerts.clocks USING btree (kind, due_at);

CREATE TABLE alerts.comments (
    at timestamp with time zone NOT NULL,
    body_code text NOT NULL,
    by text NOT NULL,
    case_id text NOT NULL,
    number integer NOT NULL,
    text text NOT NULL,
    CONSTRAINT comments_case_id_fkey FOREIGN KEY (case_id) REFERENCES alerts.cases(case_id),
    CONSTRAINT comments_pkey PRIMARY KEY (case_id, number)
);

CREATE VIEW alerts.delivery_proofs AS
 SELECT n.case_id,
    n.notice_id,
    'accepted'::text AS proof,
    n.ended_at AS at,
    n.channel AS source
   FROM alerts.notices n
  WHERE ((n.state = 'accepted'::text) AND (n.channel <> 'apprise'::text))
UNION ALL
 SELECT n.case_id,
    n.notice_id,
    r.proof,
    r.at,
    'delivery_report'::text AS source
   FROM (alerts.notices n
     JOIN documents.delivery_reports r ON (((r.notice_id = n.notice_id) OR (r.notice_id = n.digest_id))))
UNION ALL
 SELECT n.case_id,
    n.notice_id,
    r.proof,
    r.at,
        CASE r.proof
            WHEN 'acknowledged'::text THEN 'key_press'::text
            ELSE 'provider'::text
        END AS source
   FROM ((alerts.notices n
     CROSS JOIN LATERAL ( SELECT m_1.channel,
            m_1.message_id
           FROM alerts.provider_messages m_1
          WHERE (m_1.notice_id = n.notice_id)
        UNION ALL
         SELECT m_1.channel,
            m_1.message_id
           FROM alerts.provider_messages m_1
          WHERE (m_1.notice_id = n.digest_id)) m)
     JOIN alerts.delivery_reports r ON (((r.channel = m.channel) AND (r.message_id = m.message_id))))
UNION ALL
 SELECT n.case_id,
    n.notice_id,
    'read'::text AS proof,
    o.first_at AS at,
    o.via AS source
   FROM ((alerts.notices n
     JOIN documents.recipients w ON (((w.document_id = n.document_id) AND (w.contact_id = n.contact_id))))
     JOIN documents.openings o ON (((o.document_id = n.document_id) AND (o.party = w.party) AND ((o.who = ''::text) OR (o.who = n.contact_id)))))
  WHERE (n.state = 'accepted'::text)
UNION ALL
 SELECT n.case_id,
    n.notice_id,
    'acknowledged'::text AS proof,
    r.at,
    r.via AS source
   FROM (alerts.notices n
     JOIN alerts.receipts r USING (case_id, body_code))
  WHERE ((n.state = 'accepted'::text) AND (r.at >= n.created_at))
UNION ALL
 SELECT n.case_id,
    n.notice_id,
    'acknowledged'::text AS proof,
    r.at,
    r.via AS source
   FROM ((alerts.notices n
     JOIN documents.recipients w ON (((w.document_id = n.document_id) AND (w.contact_id = n.contact_id))))
     JOIN documents.receipts r ON (((r.document_id = n.document_id) AND (r.party = w.party))))
  WHERE (n.state = 'accepted'::text)
UNION ALL
 SELECT n.case_id,
    n.notice_id,
        CASE t.action
            WHEN 'verified'::text THEN 'acted'::text
            ELSE 'acknowledged'::text
        END AS proof,
    t.at,
        CASE t.action
            WHEN 'verified'::text THEN 'verified'::text
            ELSE 'taken'::text
        END AS source
   FROM ((alerts.notices n
     CROSS JOIN LATERAL ( SELECT a.at,
            a.actor,
            a.action,
            a.detail
           FROM alerts.audit a
          WHERE (a.case_id = n.case_id)
        UNION ALL
         SELECT a.at,
            a.actor,
            a.action,
            a.detail
           FROM alerts.audit_pending a
          WHERE (a.case_id = n.case_id)) t)
     LEFT JOIN console.accounts who ON ((who.username = t.actor)))
  WHERE ((n.state = 'accepted'::text) AND (t.at >= n.created_at) AND (t.action = ANY (ARRAY['acknowledged'::text, 'acknowledged_after_end'::text, 'verified'::text])) AND ((t.detail -> ('bodies_'::text || COALESCE(who.role, 'centre'::text))) ? n.body_code))
UNION ALL
 SELECT n.case_id,
    n.notice_id,
    'acted'::text AS proof,
    s.at,
    s.via AS source
   FROM ((alerts.notices n
     JOIN documents.recipients w ON (((w.document_id = n.document_id) AND (w.contact_id = n.contact_id))))
     JOIN documents.submissions s ON (((s.document_id = n.document_id) AND (s.party = w.party))))
  WHERE (n.state = 'accepted'::text);

CREATE TABLE alerts.delivery_reports (
    at timestamp with time zone NOT NULL,
    channel text NOT NULL,
    code text NOT NULL,
    message_id text NOT NULL,
    proof text NOT NULL,
    recorded_at timestamp with time zone NOT NULL,
    CONSTRAINT delivery_reports_channel_message_id_fkey FOREIGN KEY (channel, message_id) REFERENCES alerts.provider_messages(channel, message_id) ON DELETE CASCADE,
    CONSTRAINT delivery_reports_pkey PRIMARY KEY (channel, message_id, proof),
    CONSTRAINT delivery_reports_proof_check CHECK ((proof = ANY (ARRAY['failed'::text, 'delivered'::text, 'acknowledged'::text])))
);

CREATE TABLE alerts.digests (
    address text NOT NULL,
    attempts integer NOT NULL DEFAULT 0,
    body text NOT NULL DEFAULT ''::text,
    body_code text NOT NULL,
    channel text NOT NULL,
    contact_id text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    detail text,
    digest_id text NOT NULL,
    ended_at timestamp with time zone,
    lang text NOT NULL,
    members integer NOT NULL,
    named integer NOT NULL,
    next_attempt_at timestamp with time zone,
    reason text,
    state text NOT NULL,
    subject text NOT NULL DEFAULT ''::text,
    CONSTRAINT digests_pkey PRIMARY KEY (digest_id),
    CONSTRAINT digests_state_check CHECK ((state = ANY (ARRAY['pending'::text, 'sending'::text, 'accepted'::text, 'dead'::text, 'cancelled'::text])))
);
CREATE INDEX digests_due ON alerts.digests USING btree (next_attempt_at) WHERE (state = ANY (ARRAY['pending'::text, 'sending'::text]));

CREATE TABLE alerts.document_files (
    content bytea NOT NULL,
    kind text NOT NULL,
    language text NOT NULL,
    request_id text NOT NULL,
    CONSTRAINT document_files_kind_check CHECK ((kind = ANY (ARRAY['pdf'::text, 'docx'::text]))),
    CONSTRAINT document_files_pkey PRIMARY KEY (request_id, language, kind),
    CONSTRAINT document_files_request_id_fkey FOREIGN KEY (request_id) REFERENCES alerts.requests(request_id)
);

CREATE TABLE alerts.group_clocks (
    address text NOT NULL,
    channel text NOT NULL,
    contact_id text NOT NULL,
    quiet_until timestamp with time zone,
    wait_until timestamp with time zone,
    CONSTRAINT group_clocks_pkey PRIMARY KEY (contact_id, channel, address)
);

CREATE TABLE alerts.listing_acts (
    act text NOT NULL,
    at timestamp with time zone NOT NULL,
    body_code text NOT NULL DEFAULT ''::text,
    by text NOT NULL,
    case_id text NOT NULL,
    detail jsonb NOT NULL,
    due_at timestamp with time zone,
    listing_id text NOT NULL,
    number integer NOT NULL,
    published boolean NOT NULL DEFAULT false,
    CONSTRAINT listing_acts_listing_id_fkey FOREIGN KEY (listing_id) REFERENCES alerts.listings(listing_id),
    CONSTRAINT listing_acts_pkey PRIMARY KEY (listing_id, number)
);
CREATE INDEX listing_acts_case ON alerts.listing_acts USING btree (case_id);
CREATE INDEX listing_acts_unpublished ON alerts.listing_acts USING btree (at) WHERE (NOT published);

CREATE TABLE alerts.listing_files (
    case_id text NOT NULL,
    content bytea NOT NULL,
    listing_id text NOT NULL,
    media_type text NOT NULL,
    name text NOT NULL,
    number integer NOT NULL,
    sha256 text NOT NULL,
    size integer NOT NULL,
    source text NOT NULL DEFAULT ''::text,
    CONSTRAINT listing_files_listing_id_fkey FOREIGN KEY (listing_id) REFERENCES alerts.listings(listing_id),
    CONSTRAINT listing_files_pkey PRIMARY KEY (listing_id, number, sha256),
    CONSTRAINT listing_files_size_check CHECK (((size >= 1) AND (size <= 5242880)))
);
CREATE INDEX listing_files_case ON alerts.listing_files USING btree (case_id);

CREATE TABLE alerts.listings (
    approved_by text NOT NULL DEFAULT ''::text,
    case_id text NOT NULL,
    deadline date,
    document text NOT NULL DEFAULT ''::text,
    due_at timestamp with time zone,
    ended_at timestamp with time zone,
    evidence integer NOT NULL DEFAULT 0,
    extension jsonb,
    files integer NOT NULL DEFAULT 0,
    level text,
    listed_on date,
    listing_id text NOT NULL,
    number integer NOT NULL,
    proposed_at timestamp with time zone NOT NULL,
    proposed_by text NOT NULL,
    reason text NOT NULL DEFAULT ''::text,
    recheck jsonb,
    revision integer NOT NULL DEFAULT 1,
    state text NOT NULL,
    CONSTRAINT listings_case_id_fkey FOREIGN KEY (case_id) REFERENCES alerts.cases(case_id),
    CONSTRAINT listings_case_id_number_key UNIQUE (case_id, number),
    CONSTRAINT listings_check CHECK (((state <> 'closed'::text) OR ((files > 0) AND (recheck IS NOT NULL) AND (approved_by <> ''::text) AND (approved_by <> (recheck ->> 'by'::text))))),
    CONSTRAINT listings_check1 CHECK (((state <> ALL (ARRAY['listed'::text, 'recheck'::text, 'approval'::text, 'closed'::text])) OR ((level IS NOT NULL) AND (document <> ''::text) AND (due_at IS NOT NULL)))),
    CONSTRAINT listings_level_check CHECK ((level = ANY (ARRAY['district'::text, 'city'::text, 'province'::text]))),
    CONSTRAINT listings_pkey PRIMARY KEY (listing_id),
    CONSTRAINT listings_state_check CHECK ((state = ANY (ARRAY['proposed'::text, 'declined'::text, 'withdrawn'::text, 'listed'::text, 'recheck'::text, 'approval'::text, 'closed'::text])))
);
CREATE UNIQUE INDEX listings_active ON alerts.listings USING btree (case_id) WHERE (ended_at IS NULL);
CREATE INDEX listings_by_time ON alerts.listings USING btree (proposed_at DESC, listing_id);

CREATE TABLE alerts.notices (
    about jsonb,
    address text NOT NULL,
    attempts integer NOT NULL DEFAULT 0,
    body text NOT NULL,
    body_code text NOT NULL,
    case_id text NOT NULL,
    caused_at timestamp with time zone,
    channel text NOT NULL,
    clause text NOT NULL,
    contact_id text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    detail text,
    digest_id text,
    document_id text,
    document_number text,
    ended_at timestamp with time zone,
    fire boolean NOT NULL DEFAULT false,
    first boolean NOT NULL DEFAULT false,
    group_state text,
    html text,
    is_copy boolean,
    lang text NOT NULL,
    lease_until timestamp with time zone,
    next_attempt_at timestamp with time zone,
    notice_id text NOT NULL,
    published boolean NOT NULL DEFAULT false,
    purpose text NOT NULL,
    reason text,
    request_id text,
    secret_ref text,
    state text NOT NULL,
    step text NOT NULL,
    subject text NOT NULL,
    template text NOT NULL,
    CONSTRAINT notices_case_id_fkey FOREIGN KEY (case_id) REFERENCES alerts.cases(case_id),
    CONSTRAINT notices_channel_check CHECK ((channel = ANY (ARRAY['email'::text, 'webhook'::text, 'robot'::text, 'mqtt'::text, 'sms'::text, 'voice'::text, 'apprise'::text]))),
    CONSTRAINT notices_digest_id_fkey FOREIGN KEY (digest_id) REFERENCES alerts.digests(digest_id),
    CONSTRAINT notices_group_state_check CHECK ((group_state = ANY (ARRAY['waits'::text, 'alone'::text, 'digest'::text]))),
    CONSTRAINT notices_pkey PRIMARY KEY (notice_id),
    CONSTRAINT notices_purpose_check CHECK ((purpose = ANY (ARRAY['notice'::text, 'all_clear'::text]))),
    CONSTRAINT notices_state_check CHECK ((state = ANY (ARRAY['pending'::text, 'sending'::text, 'accepted'::text, 'dead'::text, 'cancelled'::text])))
);
CREATE INDEX notices_by_case ON alerts.notices USING btree (case_id);
CREATE INDEX notices_due ON alerts.notices USING btree (fire DESC, next_attempt_at) WHERE (state = ANY (ARRAY['pending'::text, 'sending'::text]));
CREATE INDEX notices_of_digest ON alerts.notices USING btree (digest_id) WHERE (digest_id IS NOT NULL);
CREATE INDEX notices_of_request ON alerts.notices USING btree (request_id) WHERE (request_id IS NOT NULL);
CREATE INDEX notices_to_group ON alerts.notices USING btree (next_attempt_at) WHERE ((group_state = 'waits'::text) AND (state = 'pending'::text));
CREATE INDEX notices_unpublished ON alerts.notices USING btree (notice_id) WHERE ((NOT published) AND (state = ANY (ARRAY['accepted'::text, 'dead'::text, 'cancelled'::text])));

CREATE TABLE alerts.owners (
    account text NOT NULL,
    case_id text NOT NULL,
    since timestamp with time zone NOT NULL,
    until timestamp with time zone NOT NULL,
    CONSTRAINT owners_case_id_fkey FOREIGN KEY (case_id) REFERENCES alerts.cases(case_id),
    CONSTRAINT owners_pkey PRIMARY KEY (case_id)
);
CREATE INDEX owners_by_account ON alerts.owners USING btree (account);

CREATE TABLE alerts.partitions (
    next_offset bigint NOT NULL DEFAULT 0,
    owner text NOT NULL DEFAULT ''::text,
    owner_epoch bigint NOT NULL DEFAULT 0,
    partition integer NOT NULL,
    topic text NOT NULL,
    topic_id text,
    CONSTRAINT partitions_pkey PRIMARY KEY (topic, partition)
);

CREATE TABLE alerts.provider_messages (
    ask_at timestamp with time zone,
    channel text NOT NULL,
    message_id text NOT NULL,
    notice_id text NOT NULL,
    sent_at timestamp with time zone NOT NULL,
    CONSTRAINT provider_messages_channel_check CHECK ((channel = ANY (ARRAY['sms'::text, 'voice'::text]))),
    CONSTRAINT provider_messages_pkey PRIMARY KEY (channel, message_id)
);
CREATE INDEX provider_messages_by_age ON alerts.provider_messages USING btree (sent_at);
CREATE INDEX provider_messages_of_notice ON alerts.provider_messages USING btree (notice_id);
CREATE INDEX provider_messages_to_ask ON alerts.provider_messages USING btree (ask_at) WHERE (ask_at IS NOT NULL);

CREATE TABLE alerts.quota_spent (
    address text NOT NULL,
    at timestamp with time zone NOT NULL,
    channel text NOT NULL
);
CREATE INDEX quota_spent_newest ON alerts.quota_spent USING btree (channel, at);

CREATE TABLE alerts.receipts (
    at timestamp with time zone NOT NULL,
    body_code text NOT NULL,
    by text NOT NULL,
    case_id text NOT NULL,
    note text NOT NULL,
    step text NOT NULL,
    via text NOT NULL,
    CONSTRAINT receipts_case_id_fkey FOREIGN KEY (case_id) REFERENCES alerts.cases(case_id),
    CONSTRAINT receipts_pkey PRIMARY KEY (case_id, body_code, step)
);

CREATE TABLE alerts.requests (
    case_id text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    document_id text,
    event jsonb NOT NULL,
    issued_at timestamp with time zone,
    key text NOT NULL,
    number text,
    request_id text NOT NULL,
    state text NOT NULL DEFAULT 'waiting'::text,
    CONSTRAINT requests_case_id_fkey FOREIGN KEY (case_id) REFERENCES alerts.cases(case_id),
    CONSTRAINT requests_pkey PRIMARY KEY (request_id),
    CONSTRAINT requests_state_check CHECK ((state = ANY (ARRAY['waiting'::text, 'published'::text, 'withdrawn'::text, 'issued'::text])))
);
CREATE INDEX requests_of_case ON alerts.requests USING btree (case_id);
CREATE INDEX requests_waiting ON alerts.requests USING btree (created_at) WHERE (state = 'waiting'::text);

CREATE TABLE alerts.seen (
    event_id text NOT NULL,
    seen_at timestamp with time zone NOT NULL,
    CONSTRAINT seen_pkey PRIMARY KEY (event_id)
);
CREATE INDEX seen_at ON alerts.seen USING btree (seen_at);

CREATE TABLE alerts.shelved (
    account text NOT NULL,
    case_id text NOT NULL,
    note text NOT NULL,
    since timestamp with time zone NOT NULL,
    until timestamp with time zone NOT NULL,
    CONSTRAINT shelved_case_id_fkey FOREIGN KEY (case_id) REFERENCES alerts.cases(case_id),
    CONSTRAINT shelved_check CHECK (((until > since) AND (until <= (since + '24:00:00'::interval)))),
    CONSTRAINT shelved_pkey PRIMARY KEY (case_id)
);

CREATE TABLE alerts.steps (
    case_id text NOT NULL,
    clause text NOT NULL,
    document text NOT NULL,
    due_at timestamp with time zone NOT NULL,
    nobody text,
    recipients text[] NOT NULL,
    step text NOT NULL,
    taken_at timestamp with time zone NOT NULL,
    CONSTRAINT steps_case_id_fkey FOREIGN KEY (case_id) REFERENCES alerts.cases(case_id),
    CONSTRAINT steps_pkey PRIMARY KEY (case_id, step)
);

CREATE TABLE alerts.synthetic_alarms (
    alarm_at timestamp with time zone,
    case_at timestamp with time zone,
    detail text NOT NULL DEFAULT ''::text,
    due_at timestamp with time zone NOT NULL,
    notice_at timestamp with time zone,
    outcome text,
    receipt_at timestamp with time zone,
    received_at timestamp with time zone,
    rules_at timestamp with time zone,
    run_id text NOT NULL,
    sent_at timestamp with time zone,
    slot bigint,
    started_at timestamp with time zone NOT NULL,
    why text NOT NULL,
    CONSTRAINT synthetic_alarms_outcome_check CHECK ((outcome = ANY (ARRAY['arrived'::text, 'late'::text, 'lost'::text]))),
    CONSTRAINT synthetic_alarms_pkey PRIMARY KEY (run_id),
    CONSTRAINT synthetic_alarms_why_check CHECK ((why = ANY (ARRAY['schedule'::text, 'command'::text])))
);
CREATE UNIQUE INDEX synthetic_alarms_slot ON alerts.synthetic_alarms USING btree (slot);
CREATE INDEX synthetic_alarms_started ON alerts.synthetic_alarms USING btree (started_at DESC);
CREATE INDEX synthetic_alarms_under_way ON alerts.synthetic_alarms USING btree (due_at) WHERE (outcome IS NULL);

CREATE TABLE alerts.verifications (
    at timestamp with time zone NOT NULL,
    by text NOT NULL,
    case_id text NOT NULL,
    cause text,
    finding text NOT NULL,
    note text NOT NULL,
    number integer NOT NULL,
    CONSTRAINT verifications_case_id_fkey FOREIGN KEY (case_id) REFERENCES alerts.cases(case_id),
    CONSTRAINT verifications_cause_check CHECK ((cause = ANY (ARRAY['electrical'::text, 'open_flame'::text, 'cooking'::text, 'hot_work'::text, 'arson_suspected'::text, 'fumes'::text, 'insect'::text, 'device_fault'::text, 'works'::text, 'pressed_by_mistake'::text, 'unannounced_test'::text, 'other'::text, 'unknown'::text]))),
    CONSTRAINT verifications_finding_check CHECK ((finding = ANY (ARRAY['true_alarm'::text, 'false_alarm'::text]))),
    CONSTRAINT verifications_pkey PRIMARY KEY (case_id, number)
);

CREATE TABLE compliance.checks (
    "position" bigint NOT NULL DEFAULT identity,
    command_id text NOT NULL,
    gateway_id text NOT NULL,
    ordered_at bigint NOT NULL,
    step text NOT NULL,
    CONSTRAINT checks_pkey PRIMARY KEY ("position")
);
CREATE INDEX checks_of_gateway ON compliance.checks USING btree (gateway_id);

CREATE TABLE compliance.dirty_days (
    day integer NOT NULL,
    part text NOT NULL,
    CONSTRAINT dirty_days_part_check CHECK ((part = ANY (ARRAY['within'::text, 'beginning'::text, 'onwards'::text, 'lost'::text]))),
    CONSTRAINT dirty_days_pkey PRIMARY KEY (day, part)
);

CREATE TABLE compliance.figures (
    denominator numeric NOT NULL,
    difference json NOT NULL,
    exempt numeric NOT NULL,
    figure json NOT NULL,
    high text,
    known_at timestamp with time zone NOT NULL,
    low text,
    metric text NOT NULL,
    numerator numeric NOT NULL,
    pack_id text NOT NULL,
    pack_version integer NOT NULL,
    period_from timestamp with time zone NOT NULL,
    period_kind text NOT NULL,
    period_to timestamp with time zone NOT NULL,
    reason text NOT NULL,
    recorded_at timestamp with time zone NOT NULL DEFAULT now(),
    revision integer NOT NULL,
    scope text NOT NULL,
    slice_id text NOT NULL,
    slice_kind text NOT NULL,
    unknown numeric NOT NULL,
    value text,
    verdict text NOT NULL,
    CONSTRAINT figures_period_kind_check CHECK ((period_kind = ANY (ARRAY['day'::text, 'week'::text, 'month'::text, 'quarter'::text, 'half_year'::text, 'year'::text]))),
    CONSTRAINT figures_pkey PRIMARY KEY (metric, scope, slice_kind, slice_id, period_kind, period_from, revision),
    CONSTRAINT figures_revision_check CHECK ((revision > 0)),
    CONSTRAINT figures_slice_kind_check CHECK ((slice_kind = ANY (ARRAY['district'::text, 'town'::text, 'community'::text, 'category'::text, 'department'::text, 'unit'::text]))),
    CONSTRAINT figures_verdict_check CHECK ((verdict = ANY (ARRAY['compliant'::text, 'non_compliant'::text, 'undetermined'::text, 'no_target'::text, 'not_applicable'::text])))
);
CREATE INDEX figures_of_period ON compliance.figures USING btree (period_kind, period_from);
CREATE INDEX figures_of_slice ON compliance.figures USING btree (slice_kind, slice_id, period_kind, period_from);

CREATE VIEW compliance.figures_now AS
 SELECT DISTINCT ON (metric, scope, slice_kind, slice_id, period_kind, period_from) metric,
    scope,
    slice_kind,
    slice_id,
    period_kind,
    period_from,
    period_to,
    revision,
    known_at,
    recorded_at,
    numerator,
    denominator,
    unknown,
    exempt,
    value,
    low,
    high,
    verdict,
    reason,
    pack_id,
    pack_version,
    difference,
    figure
   FROM compliance.figures
  ORDER BY metric, scope, slice_kind, slice_id, period_kind, period_from, revision DESC;

CREATE TABLE compliance.findings (
    body_id text NOT NULL,
    figure_from timestamp with time zone NOT NULL,
    finding_id text NOT NULL,
    is_missed boolean NOT NULL,
    metric text NOT NULL,
    period_kind text NOT NULL,
    revision integer NOT NULL,
    scope text NOT NULL,
    CONSTRAINT findings_pkey PRIMARY KEY (body_id, metric, scope, period_kind)
);

CREATE TABLE compliance.grade_findings (
    body_id text NOT NULL,
    finding_id text NOT NULL,
    is_open boolean NOT NULL,
    revision integer NOT NULL,
    scheme_id text NOT NULL,
    year_from timestamp with time zone NOT NULL,
    CONSTRAINT grade_findings_pkey PRIMARY KEY (scheme_id, body_id)
);

CREATE TABLE compliance.heartbeats (
    day integer NOT NULL,
    gateway_id text NOT NULL,
    received bytea NOT NULL,
    unit_id text NOT NULL,
    CONSTRAINT heartbeats_pkey PRIMARY KEY (unit_id, gateway_id, day)
);

CREATE TABLE compliance.interruptions (
    cause text NOT NULL,
    connection text NOT NULL,
    ended_at bigint,
    gateway_id text,
    lost_at bigint,
    started_at bigint NOT NULL,
    unit_id text NOT NULL,
    CONSTRAINT interruptions_connection_check CHECK ((connection = ANY (ARRAY['offline'::text, 'unknown'::text]))),
    CONSTRAINT interruptions_pkey PRIMARY KEY (unit_id, started_at)
);
CREATE INDEX interruptions_lost ON compliance.interruptions USING btree (lost_at) WHERE (lost_at IS NOT NULL);
CREATE INDEX interruptions_started ON compliance.interruptions USING btree (started_at);

CREATE TABLE compliance.listing_acts (
    act text NOT NULL,
    at timestamp with time zone NOT NULL,
    department text NOT NULL,
    district text NOT NULL,
    due_at timestamp with time zone,
    listing_id text NOT NULL,
    number integer NOT NULL,
    town text NOT NULL,
    unit_id text NOT NULL,
    CONSTRAINT listing_acts_pkey PRIMARY KEY (listing_id, number)
);

CREATE TABLE compliance.log_position (
    computed_at bigint NOT NULL,
    kept_day integer NOT NULL DEFAULT 0,
    known_at bigint NOT NULL,
    one boolean NOT NULL DEFAULT true,
    outages_to bigint,
    published_at bigint NOT NULL,
    published_closed bigint,
    state json NOT NULL,
    CONSTRAINT log_position_one_check CHECK (one),
    CONSTRAINT log_position_pkey PRIMARY KEY (one)
);

CREATE TABLE compliance.losses (
    carrier text NOT NULL,
    district text NOT NULL,
    gateway_id text NOT NULL,
    lost_at bigint NOT NULL,
    town text NOT NULL,
    unit_id text NOT NULL,
    CONSTRAINT losses_pkey PRIMARY KEY (unit_id, gateway_id, lost_at)
);
CREATE INDEX losses_at ON compliance.losses USING btree (lost_at);

CREATE TABLE compliance.outages (
    attribution text NOT NULL,
    cause text NOT NULL,
    connection text NOT NULL,
    ended_at timestamp with time zone,
    gateway_id text,
    group_from timestamp with time zone,
    group_id text,
    group_units integer,
    known_at timestamp with time zone NOT NULL,
    lost_at timestamp with time zone,
    recorded_at timestamp with time zone NOT NULL DEFAULT now(),
    revision integer NOT NULL,
    started_at timestamp with time zone NOT NULL,
    unit_id text NOT NULL,
    withdrawn boolean NOT NULL,
    CONSTRAINT outages_attribution_check CHECK ((attribution = ANY (ARRAY['unit'::text, 'carrier'::text, 'area'::text, 'self'::text]))),
    CONSTRAINT outages_connection_check CHECK ((connection = ANY (ARRAY['offline'::text, 'unknown'::text]))),
    CONSTRAINT outages_pkey PRIMARY KEY (unit_id, started_at, revision),
    CONSTRAINT outages_revision_check CHECK ((revision > 0))
);
CREATE INDEX outages_started ON compliance.outages USING btree (started_at);

CREATE VIEW compliance.outages_now AS
 SELECT DISTINCT ON (unit_id, started_at) unit_id,
    started_at,
    revision,
    known_at,
    recorded_at,
    ended_at,
    connection,
    cause,
    attribution,
    gateway_id,
    lost_at,
    group_id,
    group_from,
    group_units,
    withdrawn
   FROM compliance.outages
  ORDER BY unit_id, started_at, revision DESC;

CREATE TABLE compliance.outbox (
    "position" bigint NOT NULL DEFAULT identity,
    key text NOT NULL,
    payload bytea NOT NULL,
    topic text NOT NULL,
    CONSTRAINT outbox_pkey PRIMARY KEY ("position")
);

CREATE TABLE compliance.records (
    data json NOT NULL,
    id text NOT NULL,
    kind text NOT NULL,
    CONSTRAINT records_kind_check CHECK ((kind = ANY (ARRAY['unit'::text, 'gateway'::text, 'adjustment'::text]))),
    CONSTRAINT records_pkey PRIMARY KEY (kind, id)
);

CREATE TABLE compliance.released_words (
    word text NOT NULL,
    CONSTRAINT released_words_pkey PRIMARY KEY (word)
);

CREATE TABLE compliance.scores (
    body_id text NOT NULL,
    grade text,
    high text,
    list text,
    low text,
    pack_id text NOT NULL,
    pack_version integer NOT NULL,
    period_from timestamp with time zone NOT NULL,
    period_kind text NOT NULL,
    period_to timestamp with time zone NOT NULL,
    provisional boolean NOT NULL,
    recorded_at timestamp with time zone NOT NULL DEFAULT now(),
    revision integer NOT NULL,
    scheme_id text NOT NULL,
    score json NOT NULL,
    withdrawn boolean NOT NULL,
    CONSTRAINT scores_grade_check CHECK ((grade = ANY (ARRAY['excellent'::text, 'good'::text, 'competent'::text, 'not_competent'::text]))),
    CONSTRAINT scores_list_check CHECK ((list = ANY (ARRAY['green'::text, 'red'::text]))),
    CONSTRAINT scores_period_kind_check CHECK ((period_kind = ANY (ARRAY['month'::text, 'quarter'::text, 'year'::text]))),
    CONSTRAINT scores_pkey PRIMARY KEY (scheme_id, body_id, period_kind, period_from, revision),
    CONSTRAINT scores_revision_check CHECK ((revision > 0))
);
CREATE INDEX scores_of_period ON compliance.scores USING btree (period_kind, period_from);

CREATE VIEW compliance.scores_now AS
 SELECT DISTINCT ON (scheme_id, body_id, period_kind, period_from) scheme_id,
    body_id,
    period_kind,
    period_from,
    period_to,
    revision,
    recorded_at,
    low,
    high,
    grade,
    provisional,
    list,
    pack_id,
    pack_version,
    withdrawn,
    score
   FROM compliance.scores
  ORDER BY scheme_id, body_id, period_kind, period_from, revision DESC;

CREATE TABLE compliance.signals (
    fact json NOT NULL,
    id text NOT NULL,
    received bigint NOT NULL,
    source text NOT NULL,
    unit_id text NOT NULL,
    CONSTRAINT signals_pkey PRIMARY KEY (source, id)
);
CREATE INDEX signals_of_unit ON compliance.signals USING btree (unit_id);

CREATE TABLE compliance.unit_days (
    day integer NOT NULL,
    parts json NOT NULL,
    unit_id text NOT NULL,
    CONSTRAINT unit_days_pkey PRIMARY KEY (unit_id, day)
);

CREATE TABLE compliance.units (
    checks json NOT NULL DEFAULT '[]'::json,
    cuts json NOT NULL DEFAULT '[]'::json,
    faults json NOT NULL DEFAULT '[]'::json,
    first_day integer,
    kept json NOT NULL DEFAULT '[]'::json,
    unit_id text NOT NULL,
    CONSTRAINT units_pkey PRIMARY KEY (unit_id)
);

CREATE TABLE compliance.what_ifs (
    attempts integer NOT NULL,
    ended_at timestamp with time zone,
    lease_until timestamp with time zone NOT NULL,
    reason text NOT NULL DEFAULT ''::text,
    result jsonb,
    state text NOT NULL,
    what_if_id bigint NOT NULL,
    CONSTRAINT what_ifs_check CHECK (((state = 'running'::text) = (ended_at IS NULL))),
    CONSTRAINT what_ifs_check1 CHECK (((state = 'done'::text) = (result IS NOT NULL))),
    CONSTRAINT what_ifs_check2 CHECK (((state = 'failed'::text) = (reason <> ''::text))),
    CONSTRAINT what_ifs_pkey PRIMARY KEY (what_if_id),
    CONSTRAINT what_ifs_state_check CHECK ((state = ANY (ARRAY['running'::text, 'done'::text, 'failed'::text])))
);

CREATE TABLE console.account_audit (
    about text NOT NULL,
    account text NOT NULL,
    action text NOT NULL,
    at timestamp with time zone NOT NULL,
    detail jsonb NOT NULL,
    hash text NOT NULL,
    prev_hash text NOT NULL,
    seq bigint NOT NULL,
    CONSTRAINT account_audit_pkey PRIMARY KEY (seq)
);

CREATE TABLE console.accounts (
    administers boolean NOT NULL DEFAULT false,
    created_at timestamp with time zone NOT NULL,
    department text,
    disabled boolean NOT NULL DEFAULT false,
    display_name text NOT NULL,
    display_name_en text NOT NULL DEFAULT ''::text,
    failed_logins integer NOT NULL DEFAULT 0,
    identity_issuer text,
    identity_subject text,
    locked_until timestamp with time zone,
    one_time_until timestamp with time zone,
    password_hash text NOT NULL,
    recovery_codes text[] NOT NULL DEFAULT '{}'::text[],
    role text NOT NULL,
    second_factor text,
    second_factor_step bigint NOT NULL DEFAULT 0,
    username text NOT NULL,
    CONSTRAINT accounts_administers_check CHECK (((NOT administers) OR (role = 'centre'::text))),
    CONSTRAINT accounts_check CHECK (((role = 'department'::text) = (department IS NOT NULL))),
    CONSTRAINT accounts_identity_check CHECK (((identity_issuer IS NULL) = (identity_subject IS NULL))),
    CONSTRAINT accounts_pkey PRIMARY KEY (username),
    CONSTRAINT accounts_role_check CHECK ((role = ANY (ARRAY['brigade'::text, 'centre'::text, 'department'::text, 'screen'::text])))
);
CREATE UNIQUE INDEX accounts_by_identity ON console.accounts USING btree (identity_issuer, identity_subject) WHERE (identity_subject IS NOT NULL);

CREATE TABLE console.health_samples (
    minute timestamp with time zone NOT NULL,
    readings jsonb NOT NULL,
    CONSTRAINT health_samples_minute_check CHECK ((date_trunc('minute'::text, minute, 'UTC'::text) = minute)),
    CONSTRAINT health_samples_pkey PRIMARY KEY (minute),
    CONSTRAINT health_samples_readings_check CHECK (((jsonb_typeof(readings) = 'object'::text) AND (octet_length((readings)::text) <= 8192)))
);

CREATE TABLE console.name_initials (
    initials text NOT NULL,
    name text NOT NULL,
    CONSTRAINT name_initials_pkey PRIMARY KEY (name)
);

CREATE TABLE console.orders (
    order_id text NOT NULL,
    ordered_at timestamp with time zone NOT NULL,
    refusals text[] NOT NULL,
    sent_at timestamp with time zone,
    username text NOT NULL,
    CONSTRAINT orders_pkey PRIMARY KEY (order_id)
);

CREATE TABLE console.partitions (
    next_offset bigint NOT NULL DEFAULT 0,
    owner text NOT NULL DEFAULT ''::text,
    owner_epoch bigint NOT NULL DEFAULT 0,
    partition integer NOT NULL,
    topic text NOT NULL,
    topic_id text,
    CONSTRAINT partitions_pkey PRIMARY KEY (topic, partition)
);

CREATE TABLE console.refusal_counts (
    gateway_id text NOT NULL,
    hour timestamp with time zone NOT NULL,
    reason text NOT NULL,
    refused bigint NOT NULL,
    CONSTRAINT refusal_counts_pkey PRIMARY KEY (hour, gateway_id, reason)
);

CREATE TABLE console.refusals (
    "offset" bigint NOT NULL,
    decided_at timestamp with time zone,
    decided_by text,
    decided_detail text,
    decided_reason text,
    detail text NOT NULL,
    gateway_id text NOT NULL,
    instance text NOT NULL,
    order_id text,
    ordered_at timestamp with time zone,
    partition integer NOT NULL,
    peer text NOT NULL DEFAULT ''::text,
    raw bytea NOT NULL,
    raw_bytes bigint NOT NULL,
    reason text NOT NULL,
    received_at timestamp with time zone NOT NULL,
    refusal_id text NOT NULL,
    signals integer,
    state text NOT NULL DEFAULT 'open'::text,
    topic text NOT NULL,
    CONSTRAINT refusals_pkey PRIMARY KEY (refusal_id),
    CONSTRAINT refusals_state_check CHECK ((state = ANY (ARRAY['open'::text, 'replayed'::text])))
);
CREATE INDEX refusals_by_gateway ON console.refusals USING btree (gateway_id, received_at DESC);
CREATE INDEX refusals_newest ON console.refusals USING btree (received_at DESC, refusal_id);

CREATE TABLE console.report_audit (
    about text NOT NULL,
    account text NOT NULL,
    action text NOT NULL,
    at timestamp with time zone NOT NULL,
    detail jsonb NOT NULL,
    hash text NOT NULL,
    prev_hash text NOT NULL,
    seq bigint NOT NULL,
    CONSTRAINT report_audit_pkey PRIMARY KEY (seq)
);

CREATE TABLE console.report_former_keys (
    contact_id text NOT NULL,
    schedule_id bigint NOT NULL,
    stop_key text NOT NULL,
    CONSTRAINT report_former_keys_pkey PRIMARY KEY (stop_key),
    CONSTRAINT report_former_keys_schedule_id_fkey FOREIGN KEY (schedule_id) REFERENCES console.report_schedules(schedule_id)
);

CREATE TABLE console.report_mails (
    attempts integer NOT NULL DEFAULT 0,
    contact_id text NOT NULL,
    edition integer NOT NULL,
    mail_id bigint NOT NULL DEFAULT identity,
    next_try_at timestamp with time zone NOT NULL,
    period_from date NOT NULL,
    planned_at timestamp with time zone NOT NULL,
    schedule_id bigint NOT NULL,
    sent_at timestamp with time zone,
    sent_revision integer,
    sent_to text,
    state text NOT NULL DEFAULT 'waiting'::text,
    tried_at timestamp with time zone,
    trouble text NOT NULL DEFAULT ''::text,
    CONSTRAINT report_mails_check CHECK (((state = 'sent'::text) = (sent_at IS NOT NULL))),
    CONSTRAINT report_mails_pkey PRIMARY KEY (mail_id),
    CONSTRAINT report_mails_schedule_id_fkey FOREIGN KEY (schedule_id) REFERENCES console.report_schedules(schedule_id),
    CONSTRAINT report_mails_schedule_id_period_from_contact_id_edition_key UNIQUE (schedule_id, period_from, contact_id, edition),
    CONSTRAINT report_mails_state_check CHECK ((state = ANY (ARRAY['waiting'::text, 'sent'::text, 'failed'::text])))
);
CREATE INDEX report_mails_by_age ON console.report_mails USING btree (planned_at);
CREATE INDEX report_mails_tried ON console.report_mails USING btree (tried_at);
CREATE INDEX report_mails_waiting ON console.report_mails USING btree (next_try_at) WHERE (state = 'waiting'::text);

CREATE TABLE console.report_recipients (
    contact_id text NOT NULL,
    schedule_id bigint NOT NULL,
    stop_key text NOT NULL,
    stopped_at timestamp with time zone,
    CONSTRAINT report_recipients_pkey PRIMARY KEY (schedule_id, contact_id),
    CONSTRAINT report_recipients_schedule_id_fkey FOREIGN KEY (schedule_id) REFERENCES console.report_schedules(schedule_id),
    CONSTRAINT report_recipients_stop_key_key UNIQUE (stop_key)
);

CREATE TABLE console.report_schedules (
    created_at timestamp with time zone NOT NULL,
    created_by text NOT NULL,
    dimension text NOT NULL,
    passed_over integer NOT NULL DEFAULT 0,
    paused boolean NOT NULL DEFAULT false,
    period_kind text NOT NULL,
    planned_edition integer NOT NULL DEFAULT 0,
    planned_from date,
    planned_revision integer NOT NULL DEFAULT 0,
    removed_at timestamp with time zone,
    schedule_id bigint NOT NULL DEFAULT identity,
    since timestamp with time zone NOT NULL,
    subject text NOT NULL,
    CONSTRAINT report_schedules_dimension_check CHECK ((dimension = ANY (ARRAY['district'::text, 'town'::text, 'department'::text]))),
    CONSTRAINT report_schedules_period_kind_check CHECK ((period_kind = ANY (ARRAY['day'::text, 'week'::text, 'month'::text, 'quarter'::text, 'half_year'::text, 'year'::text]))),
    CONSTRAINT report_schedules_pkey PRIMARY KEY (schedule_id)
);
CREATE UNIQUE INDEX report_schedules_once ON console.report_schedules USING btree (dimension, subject, period_kind) WHERE (removed_at IS NULL);

CREATE TABLE console.sessions (
    by_provider boolean NOT NULL DEFAULT false,
    created_at timestamp with time zone NOT NULL,
    csrf text NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    last_seen_at timestamp with time zone NOT NULL,
    token_hash text NOT NULL,
    username text NOT NULL,
    CONSTRAINT sessions_pkey PRIMARY KEY (token_hash),
    CONSTRAINT sessions_username_fkey FOREIGN KEY (username) REFERENCES console.accounts(username)
);
CREATE INDEX sessions_by_account ON console.sessions USING btree (username);

CREATE TABLE console.what_ifs (
    asked_at timestamp with time zone NOT NULL,
    asked_by text NOT NULL,
    first_day date NOT NULL,
    pack text NOT NULL,
    period_kind text NOT NULL,
    source text NOT NULL,
    what_if_id bigint NOT NULL DEFAULT identity,
    CONSTRAINT what_ifs_pack_check CHECK ((octet_length(pack) <= 4194304)),
    CONSTRAINT what_ifs_period_kind_check CHECK ((period_kind = ANY (ARRAY['day'::text, 'week'::text, 'month'::text]))),
    CONSTRAINT what_ifs_pkey PRIMARY KEY (what_if_id)
);

CREATE TABLE documents.attachments (
    name text NOT NULL,
    place integer NOT NULL,
    sha256 text NOT NULL,
    size integer NOT NULL,
    submission_id text NOT NULL,
    CONSTRAINT attachments_pkey PRIMARY KEY (submission_id, place),
    CONSTRAINT attachments_sha256_fkey FOREIGN KEY (sha256) REFERENCES documents.files(sha256),
    CONSTRAINT attachments_submission_id_fkey FOREIGN KEY (submission_id) REFERENCES documents.submissions(submission_id)
);

CREATE TABLE documents.changes (
    at timestamp with time zone NOT NULL,
    change_id text NOT NULL,
    document_id text NOT NULL,
    event jsonb NOT NULL,
    key text NOT NULL,
    published boolean NOT NULL DEFAULT false,
    CONSTRAINT changes_document_id_fkey FOREIGN KEY (document_id) REFERENCES documents.documents(document_id),
    CONSTRAINT changes_pkey PRIMARY KEY (change_id)
);
CREATE INDEX changes_unpublished ON documents.changes USING btree (at, change_id) WHERE (NOT published);

CREATE TABLE documents.delivery_reports (
    at timestamp with time zone NOT NULL,
    mail_id text NOT NULL,
    notice_id text NOT NULL,
    proof text NOT NULL,
    CONSTRAINT delivery_reports_mail_id_fkey FOREIGN KEY (mail_id) REFERENCES documents.mails(mail_id),
    CONSTRAINT delivery_reports_pkey PRIMARY KEY (notice_id, proof),
    CONSTRAINT delivery_reports_proof_check CHECK ((proof = ANY (ARRAY['delivered'::text, 'failed'::text])))
);

CREATE TABLE documents.documents (
    case_id text NOT NULL,
    closed_because text,
    document_id text NOT NULL,
    files_due boolean NOT NULL DEFAULT false,
    instrument text NOT NULL,
    issued_at timestamp with time zone NOT NULL,
    issuer text NOT NULL,
    mark text,
    numbered_at timestamp with time zone,
    numbered_by text,
    own_number text,
    published boolean NOT NULL DEFAULT false,
    receipt_due_at timestamp with time zone,
    reply_due_at timestamp with time zone,
    request jsonb NOT NULL,
    request_id text NOT NULL,
    requested_at timestamp with time zone NOT NULL,
    serial integer,
    source text NOT NULL,
    state text NOT NULL,
    template text NOT NULL,
    unit_id text NOT NULL,
    year integer,
    CONSTRAINT documents_issuer_mark_year_serial_key UNIQUE (issuer, mark, year, serial),
    CONSTRAINT documents_pkey PRIMARY KEY (document_id),
    CONSTRAINT documents_serial_check CHECK ((serial > 0)),
    CONSTRAINT documents_source_request_id_key UNIQUE (source, request_id),
    CONSTRAINT documents_state_check CHECK ((state = ANY (ARRAY['draft'::text, 'issued'::text, 'received'::text, 'replied'::text, 'closed'::text])))
);
CREATE INDEX documents_newest ON documents.documents USING btree (issued_at DESC, document_id);
CREATE INDEX documents_of_case ON documents.documents USING btree (case_id);
CREATE INDEX documents_unpublished ON documents.documents USING btree (issued_at, document_id) WHERE (NOT published);
CREATE INDEX documents_without_files ON documents.documents USING btree (issued_at) WHERE files_due;

CREATE TABLE documents.files (
    added_at timestamp with time zone NOT NULL,
    bytes bytea NOT NULL,
    media_type text NOT NULL,
    sha256 text NOT NULL,
    CONSTRAINT files_pkey PRIMARY KEY (sha256)
);

CREATE TABLE documents.mail_acts (
    act text NOT NULL,
    at timestamp with time zone NOT NULL,
    by text NOT NULL,
    document_id text,
    mail_id text NOT NULL,
    number integer NOT NULL,
    party text NOT NULL DEFAULT ''::text,
    reason text NOT NULL DEFAULT ''::text,
    CONSTRAINT mail_acts_act_check CHECK ((act = ANY (ARRAY['joined'::text, 'taken'::text, 'refused'::text]))),
    CONSTRAINT mail_acts_document_id_fkey FOREIGN KEY (document_id) REFERENCES documents.documents(document_id),
    CONSTRAINT mail_acts_mail_id_fkey FOREIGN KEY (mail_id) REFERENCES documents.mails(mail_id),
    CONSTRAINT mail_acts_pkey PRIMARY KEY (mail_id, number)
);

CREATE TABLE documents.mail_files (
    mail_id text NOT NULL,
    name text NOT NULL,
    place integer NOT NULL,
    sha256 text NOT NULL,
    size integer NOT NULL,
    CONSTRAINT mail_files_mail_id_fkey FOREIGN KEY (mail_id) REFERENCES documents.mails(mail_id),
    CONSTRAINT mail_files_pkey PRIMARY KEY (mail_id, place),
    CONSTRAINT mail_files_sha256_fkey FOREIGN KEY (sha256) REFERENCES documents.files(sha256)
);

CREATE TABLE documents.mailboxes (
    last_uid bigint NOT NULL,
    mailbox text NOT NULL,
    uid_validity bigint NOT NULL,
    CONSTRAINT mailboxes_pkey PRIMARY KEY (mailbox)
);

CREATE TABLE documents.mails (
    at timestamp with time zone NOT NULL,
    decided_at timestamp with time zone,
    decided_by text,
    document_id text,
    mail_id text NOT NULL,
    message_id text NOT NULL,
    reason text NOT NULL DEFAULT ''::text,
    sender text NOT NULL,
    sender_name text NOT NULL,
    size integer NOT NULL,
    sort text NOT NULL,
    state text NOT NULL,
    subject text NOT NULL,
    text text NOT NULL,
    CONSTRAINT mails_check CHECK (((sort <> 'reply'::text) OR (document_id IS NOT NULL))),
    CONSTRAINT mails_check1 CHECK (((decided_at IS NULL) = (decided_by IS NULL))),
    CONSTRAINT mails_check2 CHECK (((state <> 'taken'::text) OR (decided_by IS NOT NULL))),
    CONSTRAINT mails_document_id_fkey FOREIGN KEY (document_id) REFERENCES documents.documents(document_id),
    CONSTRAINT mails_pkey PRIMARY KEY (mail_id),
    CONSTRAINT mails_sort_check CHECK ((sort = ANY (ARRAY['reply'::text, 'unknown'::text, 'automatic'::text, 'bounce'::text, 'refused'::text]))),
    CONSTRAINT mails_state_check CHECK ((state = ANY (ARRAY['waiting'::text, 'aside'::text, 'taken'::text])))
);
CREATE INDEX mails_newest ON documents.mails USING btree (at DESC, mail_id);
CREATE INDEX mails_waiting ON documents.mails USING btree (at DESC, mail_id) WHERE (state = 'waiting'::text);

CREATE TABLE documents.numbers_told (
    document_id text NOT NULL,
    issued_at timestamp with time zone NOT NULL,
    issuer text NOT NULL,
    mark text NOT NULL,
    serial integer NOT NULL,
    told_at timestamp with time zone NOT NULL DEFAULT now(),
    year integer NOT NULL,
    CONSTRAINT numbers_told_pkey PRIMARY KEY (document_id),
    CONSTRAINT numbers_told_serial_check CHECK ((serial > 0))
);

CREATE TABLE documents.openings (
    document_id text NOT NULL,
    first_at timestamp with time zone NOT NULL,
    last_at timestamp with time zone NOT NULL,
    party text NOT NULL,
    via text NOT NULL,
    who text NOT NULL,
    CONSTRAINT openings_document_id_fkey FOREIGN KEY (document_id) REFERENCES documents.documents(document_id),
    CONSTRAINT openings_pkey PRIMARY KEY (document_id, party, via, who),
    CONSTRAINT openings_via_check CHECK ((via = ANY (ARRAY['link'::text, 'console'::text])))
);

CREATE TABLE documents.partitions (
    next_offset bigint NOT NULL DEFAULT 0,
    owner text NOT NULL DEFAULT ''::text,
    owner_epoch bigint NOT NULL DEFAULT 0,
    partition integer NOT NULL,
    topic text NOT NULL,
    topic_id text,
    CONSTRAINT partitions_pkey PRIMARY KEY (topic, partition)
);

CREATE TABLE documents.receipts (
    at timestamp with time zone NOT NULL,
    by text NOT NULL,
    document_id text NOT NULL,
    name text NOT NULL,
    party text NOT NULL,
    via text NOT NULL,
    CONSTRAINT receipts_document_id_fkey FOREIGN KEY (document_id) REFERENCES documents.documents(document_id),
    CONSTRAINT receipts_pkey PRIMARY KEY (document_id, party)
);

CREATE TABLE documents.recipients (
    contact_id text NOT NULL,
    document_id text NOT NULL,
    is_addressee boolean NOT NULL,
    party text NOT NULL,
    revoked_at timestamp with time zone,
    revoked_by text,
    CONSTRAINT recipients_document_id_fkey FOREIGN KEY (document_id) REFERENCES documents.documents(document_id),
    CONSTRAINT recipients_pkey PRIMARY KEY (document_id, contact_id)
);
CREATE INDEX recipients_by_party ON documents.recipients USING btree (party, document_id);

CREATE TABLE documents.rendition_files (
    content bytea NOT NULL,
    document_id text NOT NULL,
    kind text NOT NULL,
    language text NOT NULL,
    sha256 text NOT NULL,
    CONSTRAINT rendition_files_document_id_fkey FOREIGN KEY (document_id) REFERENCES documents.documents(document_id),
    CONSTRAINT rendition_files_kind_check CHECK ((kind = ANY (ARRAY['pdf'::text, 'docx'::text]))),
    CONSTRAINT rendition_files_pkey PRIMARY KEY (document_id, language, kind)
);

CREATE TABLE documents.renditions (
    covering text NOT NULL DEFAULT ''::text,
    document_id text NOT NULL,
    html text NOT NULL,
    language text NOT NULL,
    text text NOT NULL,
    title text NOT NULL,
    CONSTRAINT renditions_document_id_fkey FOREIGN KEY (document_id) REFERENCES documents.documents(document_id),
    CONSTRAINT renditions_pkey PRIMARY KEY (document_id, language)
);

CREATE TABLE documents.series (
    issuer text NOT NULL,
    last integer NOT NULL,
    mark text NOT NULL,
    year integer NOT NULL,
    CONSTRAINT series_last_check CHECK ((last > 0)),
    CONSTRAINT series_pkey PRIMARY KEY (issuer, mark, year)
);

CREATE TABLE documents.submissions (
    at timestamp with time zone NOT NULL,
    by text NOT NULL,
    decided_at timestamp with time zone,
    decided_by text,
    document_id text NOT NULL,
    done_by date,
    kind text NOT NULL,
    measures text NOT NULL DEFAULT ''::text,
    name text NOT NULL,
    party text NOT NULL,
    reasons text NOT NULL DEFAULT ''::text,
    state text NOT NULL,
    submission_id text NOT NULL,
    text text NOT NULL,
    via text NOT NULL,
    CONSTRAINT submissions_check CHECK ((((kind = 'reply'::text) AND (state = ANY (ARRAY['submitted'::text, 'accepted'::text, 'returned'::text]))) OR ((kind = 'appeal'::text) AND (state = ANY (ARRAY['submitted'::text, 'upheld'::text, 'dismissed'::text]))))),
    CONSTRAINT submissions_check1 CHECK (((state = 'submitted'::text) = (decided_at IS NULL))),
    CONSTRAINT submissions_document_id_fkey FOREIGN KEY (document_id) REFERENCES documents.documents(document_id),
    CONSTRAINT submissions_kind_check CHECK ((kind = ANY (ARRAY['reply'::text, 'appeal'::text]))),
    CONSTRAINT submissions_pkey PRIMARY KEY (submission_id),
    CONSTRAINT submissions_state_check CHECK ((state = ANY (ARRAY['submitted'::text, 'accepted'::text, 'returned'::text, 'upheld'::text, 'dismissed'::text])))
);
CREATE UNIQUE INDEX one_undecided_submission ON documents.submissions USING btree (document_id, kind) WHERE (state = 'submitted'::text);
CREATE INDEX submissions_of_document ON documents.submissions USING btree (document_id, at);

CREATE TABLE registry.adjustment_audit (
    account text NOT NULL,
    action text NOT NULL,
    adjustment_id text NOT NULL,
    at timestamp with time zone NOT NULL,
    detail jsonb NOT NULL,
    hash text NOT NULL,
    prev_hash text NOT NULL,
    role text NOT NULL,
    seq bigint NOT NULL,
    via text NOT NULL,
    CONSTRAINT adjustment_audit_pkey PRIMARY KEY (seq)
);

CREATE TABLE registry.adjustments (
    address text,
    adjustment_id text NOT NULL,
    approvals text[] NOT NULL,
    approvals_needed integer NOT NULL,
    changed_at timestamp with time zone,
    counted_as text,
    ends_at timestamp with time zone NOT NULL,
    evidence text,
    note text NOT NULL,
    reason text NOT NULL,
    requested_at timestamp with time zone NOT NULL,
    requested_by text NOT NULL,
    starts_at timestamp with time zone NOT NULL,
    state text NOT NULL,
    system text,
    trouble text,
    unit_id text NOT NULL,
    what text NOT NULL,
    CONSTRAINT adjustments_approvals_needed_check CHECK ((approvals_needed = ANY (ARRAY[1, 2]))),
    CONSTRAINT adjustments_check CHECK ((ends_at >= starts_at)),
    CONSTRAINT adjustments_check1 CHECK ((requested_by <> ALL (approvals))),
    CONSTRAINT adjustments_check2 CHECK (((state <> ALL (ARRAY['approved'::text, 'ended'::text])) OR (cardinality(approvals) >= approvals_needed))),
    CONSTRAINT adjustments_check3 CHECK (((what = 'correction'::text) = (counted_as IS NOT NULL))),
    CONSTRAINT adjustments_pkey PRIMARY KEY (adjustment_id),
    CONSTRAINT adjustments_state_check CHECK ((state = ANY (ARRAY['requested'::text, 'approved'::text, 'rejected'::text, 'withdrawn'::text, 'ended'::text]))),
    CONSTRAINT adjustments_what_check CHECK ((what = ANY (ARRAY['correction'::text, 'exemption'::text, 'maintenance'::text, 'test'::text])))
);
CREATE INDEX adjustments_by_age ON registry.adjustments USING btree (requested_at DESC, adjustment_id DESC);
CREATE INDEX adjustments_in_force ON registry.adjustments USING btree (ends_at) WHERE (state = ANY (ARRAY['approved'::text, 'ended'::text]));
CREATE INDEX adjustments_waiting ON registry.adjustments USING btree (requested_at) WHERE (state = 'requested'::text);

CREATE TABLE registry.certificates (
    expires_at timestamp with time zone NOT NULL,
    gateway_id text NOT NULL,
    issued_at timestamp with time zone NOT NULL,
    revoked_at timestamp with time zone,
    serial text NOT NULL,
    CONSTRAINT certificates_pkey PRIMARY KEY (serial),
    CONSTRAINT certificates_serial_check CHECK ((serial ~ '^[0-9a-f]{1,40}$'::text))
);
CREATE INDEX certificates_gateway ON registry.certificates USING btree (gateway_id);

CREATE TABLE registry.imports (
    changed integer NOT NULL,
    file_name text NOT NULL,
    import_id bigint NOT NULL DEFAULT identity,
    imported_at timestamp with time zone NOT NULL,
    imported_by text NOT NULL,
    kind text NOT NULL,
    rows integer NOT NULL,
    sha256 text NOT NULL,
    CONSTRAINT imports_pkey PRIMARY KEY (import_id)
);

CREATE VIEW registry.in_force AS
 SELECT DISTINCT ON (kind, id) kind,
    id,
    valid_from,
    recorded_at,
    body
   FROM registry.versions
  WHERE (valid_from <= ((now() AT TIME ZONE 'Asia/Shanghai'::text))::date)
  ORDER BY kind, id, valid_from DESC, recorded_at DESC;

CREATE TABLE registry.manual_scores (
    account text NOT NULL,
    body_id text NOT NULL,
    criterion_id text NOT NULL,
    district text NOT NULL,
    entry_id text NOT NULL,
    month date NOT NULL,
    most integer NOT NULL,
    points numeric,
    reason text NOT NULL,
    recorded_at timestamp with time zone NOT NULL,
    scheme_id text NOT NULL,
    CONSTRAINT manual_scores_check CHECK (((points >= (0)::numeric) AND (points <= (most)::numeric))),
    CONSTRAINT manual_scores_month_check CHECK ((EXTRACT(day FROM month) = (1)::numeric)),
    CONSTRAINT manual_scores_pkey PRIMARY KEY (entry_id)
);
CREATE INDEX manual_scores_of_body ON registry.manual_scores USING btree (body_id, month);

CREATE TABLE registry.passwords (
    gateway_id text NOT NULL,
    hash text,
    issued_at timestamp with time zone NOT NULL,
    revoked_at timestamp with time zone,
    CONSTRAINT passwords_check CHECK (((hash IS NULL) = (revoked_at IS NOT NULL))),
    CONSTRAINT passwords_hash_check CHECK ((hash ~~ '$7$%'::text)),
    CONSTRAINT passwords_pkey PRIMARY KEY (gateway_id, issued_at)
);
CREATE UNIQUE INDEX passwords_one_holds ON registry.passwords USING btree (gateway_id) WHERE (revoked_at IS NULL);

CREATE TABLE registry.proposals (
    approvals text[] NOT NULL,
    approvals_needed integer NOT NULL,
    changed_at timestamp with time zone,
    changes_sha256 text NOT NULL,
    content bytea NOT NULL,
    entities text[] NOT NULL,
    file_name text NOT NULL,
    kind text NOT NULL,
    known_at timestamp with time zone,
    meant boolean NOT NULL,
    note text NOT NULL,
    proposal_id text NOT NULL,
    reason text NOT NULL,
    requested_at timestamp with time zone NOT NULL,
    requested_by text NOT NULL,
    rows integer NOT NULL,
    sha256 text NOT NULL,
    state text NOT NULL,
    valid_from date,
    CONSTRAINT proposals_approvals_needed_check CHECK ((approvals_needed = ANY (ARRAY[0, 1]))),
    CONSTRAINT proposals_check CHECK ((requested_by <> ALL (approvals))),
    CONSTRAINT proposals_check1 CHECK (((state <> 'approved'::text) OR (cardinality(approvals) >= approvals_needed))),
    CONSTRAINT proposals_check2 CHECK (((kind = 'pack'::text) OR (valid_from IS NULL))),
    CONSTRAINT proposals_content_check CHECK (((octet_length(content) >= 1) AND (octet_length(content) <= 4194304))),
    CONSTRAINT proposals_kind_check CHECK ((kind = ANY (ARRAY['unit'::text, 'gateway'::text, 'contact'::text, 'department'::text, 'pack'::text]))),
    CONSTRAINT proposals_pkey PRIMARY KEY (proposal_id),
    CONSTRAINT proposals_state_check CHECK ((state = ANY (ARRAY['requested'::text, 'approved'::text, 'rejected'::text, 'withdrawn'::text])))
);
CREATE INDEX proposals_by_age ON registry.proposals USING btree (requested_at DESC, proposal_id DESC);
CREATE INDEX proposals_waiting ON registry.proposals USING btree (requested_at) WHERE (state = 'requested'::text);

CREATE TABLE registry.score_decisions (
    account text NOT NULL,
    decided_at timestamp with time zone NOT NULL,
    entry_id text NOT NULL,
    note text NOT NULL,
    state text NOT NULL,
    CONSTRAINT score_decisions_entry_id_fkey FOREIGN KEY (entry_id) REFERENCES registry.manual_scores(entry_id),
    CONSTRAINT score_decisions_pkey PRIMARY KEY (entry_id),
    CONSTRAINT score_decisions_state_check CHECK ((state = ANY (ARRAY['approved'::text, 'rejected'::text, 'withdrawn'::text])))
);

CREATE TABLE registry.unpublished (
    id text NOT NULL,
    kind text NOT NULL,
    CONSTRAINT unpublished_pkey PRIMARY KEY (kind, id)
);

CREATE TABLE registry.versions (
    body jsonb NOT NULL,
    id text NOT NULL,
    import_id bigint,
    kind text NOT NULL,
    recorded_at timestamp with time zone NOT NULL,
    valid_from date NOT NULL,
    CONSTRAINT versions_kind_check CHECK ((kind = ANY (ARRAY['unit'::text, 'gateway'::text, 'contact'::text, 'department'::text, 'pack'::text, 'adjustment'::text]))),
    CONSTRAINT versions_pkey PRIMARY KEY (kind, id, valid_from, recorded_at)
);
CREATE INDEX contacts_of_body ON registry.versions USING btree (((body ->> 'body_code'::text))) WHERE (kind = 'contact'::text);

CREATE TABLE rules.component_transitions (
    address text NOT NULL,
    cause text NOT NULL,
    detected_at timestamp with time zone NOT NULL,
    effective_at timestamp with time zone NOT NULL,
    evidence_offset bigint NOT NULL,
    evidence_partition integer NOT NULL,
    evidence_topic text NOT NULL,
    kind text NOT NULL,
    open boolean NOT NULL,
    recorded_at timestamp with time zone NOT NULL DEFAULT now(),
    system text NOT NULL,
    transition_id text NOT NULL,
    unit_id text NOT NULL,
    CONSTRAINT component_transitions_kind_check CHECK ((kind = ANY (ARRAY['fire'::text, 'fault'::text, 'isolation'::text]))),
    CONSTRAINT component_transitions_pkey PRIMARY KEY (transition_id, effective_at)
);
CREATE INDEX component_transitions_by_component ON rules.component_transitions USING btree (unit_id, system, address, effective_at);
CREATE INDEX component_transitions_effective_at_idx ON rules.component_transitions USING btree (effective_at DESC);

CREATE TABLE rules.heartbeats_hourly (
    count integer NOT NULL,
    hour timestamp with time zone NOT NULL,
    unit_id text NOT NULL,
    CONSTRAINT heartbeats_hourly_pkey PRIMARY KEY (unit_id, hour)
);
CREATE INDEX heartbeats_hourly_hour_idx ON rules.heartbeats_hourly USING btree (hour DESC);

CREATE VIEW rules.losses AS
 SELECT gateway_id,
    unit_id,
    day,
    (count(*) FILTER (WHERE (missing > 0)))::integer AS gaps,
    (sum(missing))::bigint AS missing,
    min(told_at) AS first_shown_at,
    max(told_at) AS last_shown_at
   FROM ( SELECT told.gateway_id,
            told.unit_id,
            told.missing,
            told.told_at,
            ((told.told_at AT TIME ZONE 'Asia/Shanghai'::text))::date AS day
           FROM ( SELECT signals.gateway_id,
                    signals.unit_id,
                    ((signals.body ->> 'missing'::text))::bigint AS missing,
                    COALESCE(((signals.body ->> 'first_received_at'::text))::timestamp with time zone, signals.received_at) AS told_at
                   FROM rules.signals
                  WHERE (signals.kind = 'gap'::text)) told) dated
  GROUP BY gateway_id, unit_id, day
 HAVING (sum(missing) > (0)::numeric);

CREATE TABLE rules.outbox (
    "position" bigint NOT NULL DEFAULT identity,
    event_id text NOT NULL,
    key text NOT NULL,
    partition integer NOT NULL,
    payload bytea NOT NULL,
    CONSTRAINT outbox_event_id_key UNIQUE (event_id),
    CONSTRAINT outbox_pkey PRIMARY KEY ("position")
);

CREATE TABLE rules.partitions (
    blind_after_s double precision NOT NULL DEFAULT 10,
    next_offset bigint NOT NULL DEFAULT 0,
    owner text NOT NULL DEFAULT ''::text,
    owner_epoch bigint NOT NULL DEFAULT 0,
    partition integer NOT NULL,
    saved_at timestamp with time zone,
    topic_id text,
    visibility text NOT NULL DEFAULT 'blind'::text,
    watermark timestamp with time zone,
    CONSTRAINT known_visibility CHECK ((visibility = ANY (ARRAY['clear'::text, 'impaired'::text, 'blind'::text]))),
    CONSTRAINT partitions_pkey PRIMARY KEY (partition)
);

CREATE TABLE rules.rate_counts (
    commissioning integer NOT NULL,
    connected integer NOT NULL,
    dimension text NOT NULL,
    exempt integer NOT NULL,
    in_scope integer NOT NULL,
    late integer NOT NULL,
    never integer NOT NULL,
    offline integer NOT NULL,
    partition integer NOT NULL,
    scope text NOT NULL,
    unknown integer NOT NULL,
    value text NOT NULL,
    CONSTRAINT rate_counts_pkey PRIMARY KEY (partition, scope, dimension, value)
);

CREATE TABLE rules.rate_samples (
    connected integer NOT NULL,
    dimension text NOT NULL,
    exempt integer,
    in_scope integer NOT NULL,
    partition integer NOT NULL,
    sampled_at timestamp with time zone NOT NULL,
    scope text NOT NULL,
    unknown integer NOT NULL,
    value text NOT NULL,
    CONSTRAINT rate_samples_pkey PRIMARY KEY (partition, scope, dimension, value, sampled_at)
);
CREATE INDEX rate_samples_sampled_at_idx ON rules.rate_samples USING btree (sampled_at DESC);

CREATE VIEW rules.rates_now AS
 SELECT c.scope,
    c.dimension,
    c.value,
    (sum(c.in_scope))::integer AS in_scope,
    (sum(
        CASE
            WHEN (v.visibility = 'blind'::text) THEN 0
            ELSE c.connected
        END))::integer AS connected,
    (sum(
        CASE
            WHEN (v.visibility = 'blind'::text) THEN 0
            ELSE c.late
        END))::integer AS late,
    (sum(
        CASE
            WHEN (v.visibility = 'blind'::text) THEN 0
            ELSE c.offline
        END))::integer AS offline,
    (sum(
        CASE
            WHEN (v.visibility = 'blind'::text) THEN ((c.connected + c.offline) + c.unknown)
            ELSE c.unknown
        END))::integer AS unknown,
    (sum(c.never))::integer AS never,
    (sum(c.commissioning))::integer AS commissioning,
    (sum(c.exempt))::integer AS exempt,
    min(v.watermark) AS watermark
   FROM (rules.rate_counts c
     JOIN rules.visibility_now v USING (partition))
  GROUP BY c.scope, c.dimension, c.value;

CREATE TABLE rules.signals (
    "offset" bigint NOT NULL,
    body jsonb NOT NULL,
    gateway_id text NOT NULL,
    kind text NOT NULL,
    occurred_at timestamp with time zone,
    partition integer NOT NULL,
    received_at timestamp with time zone NOT NULL,
    seq bigint,
    signal_id text NOT NULL,
    unit_id text NOT NULL,
    CONSTRAINT signals_pkey PRIMARY KEY (signal_id, received_at)
);
CREATE INDEX signals_by_unit ON rules.signals USING btree (unit_id, received_at);
CREATE INDEX signals_gaps ON rules.signals USING btree (gateway_id, received_at) WHERE (kind = 'gap'::text);
CREATE INDEX signals_received_at_idx ON rules.signals USING btree (received_at DESC);

CREATE TABLE rules.snapshots (
    base boolean NOT NULL,
    body bytea NOT NULL,
    partition integer NOT NULL,
    seq bigint NOT NULL,
    CONSTRAINT snapshots_pkey PRIMARY KEY (partition, seq)
);

CREATE TABLE rules.transitions (
    aspect text NOT NULL,
    cause text NOT NULL,
    detected_at timestamp with time zone NOT NULL,
    effective_at timestamp with time zone NOT NULL,
    evidence_offset bigint NOT NULL,
    evidence_partition integer NOT NULL,
    evidence_topic text NOT NULL,
    from_state text NOT NULL,
    recorded_at timestamp with time zone NOT NULL DEFAULT now(),
    to_state text NOT NULL,
    transition_id text NOT NULL,
    unit_id text NOT NULL,
    CONSTRAINT transitions_aspect_check CHECK ((aspect = ANY (ARRAY['connection'::text, 'duty'::text, 'health'::text]))),
    CONSTRAINT transitions_pkey PRIMARY KEY (transition_id, effective_at)
);
CREATE INDEX transitions_by_unit ON rules.transitions USING btree (unit_id, effective_at);
CREATE INDEX transitions_effective_at_idx ON rules.transitions USING btree (effective_at DESC);

CREATE TABLE rules.units (
    address text NOT NULL DEFAULT ''::text,
    carriers text[] NOT NULL DEFAULT '{}'::text[],
    category text NOT NULL,
    community text NOT NULL,
    connection text NOT NULL,
    connection_detected_at timestamp with time zone,
    connection_since timestamp with time zone,
    copy_departments text[] NOT NULL DEFAULT '{}'::text[],
    district text NOT NULL,
    health text NOT NULL,
    health_since timestamp with time zone,
    last_proof_at timestamp with time zone,
    lead_department text NOT NULL,
    line_drops integer NOT NULL DEFAULT 0,
    name text NOT NULL,
    name_en text NOT NULL DEFAULT ''::text,
    open_faults integer NOT NULL DEFAULT 0,
    open_fires integer NOT NULL DEFAULT 0,
    open_isolations integer NOT NULL DEFAULT 0,
    partition integer NOT NULL,
    partly_connected boolean NOT NULL DEFAULT false,
    routed boolean NOT NULL DEFAULT true,
    scopes text[] NOT NULL DEFAULT '{}'::text[],
    town text NOT NULL,
    unit_id text NOT NULL,
    unstable_until timestamp with time zone,
    updated_at timestamp with time zone NOT NULL,
    CONSTRAINT units_pkey PRIMARY KEY (unit_id)
);
CREATE INDEX units_by_copies ON rules.units USING gin (copy_departments);
CREATE INDEX units_by_department ON rules.units USING btree (lead_department);
CREATE INDEX units_troubled ON rules.units USING btree (connection, health) WHERE ((connection <> 'online'::text) OR (health <> 'normal'::text));

CREATE VIEW rules.units_now AS
 SELECT u.unit_id,
    u.partition,
    u.name,
    u.name_en,
    u.district,
    u.town,
    u.community,
    u.category,
    u.address,
    u.lead_department,
    u.copy_departments,
    u.routed,
    u.carriers,
    u.scopes,
    u.connection,
    u.connection_since,
    u.connection_detected_at,
    u.health,
    u.health_since,
    u.last_proof_at,
    u.partly_connected,
    u.open_fires,
    u.open_faults,
    u.open_isolations,
    u.updated_at,
    u.line_drops,
    u.unstable_until,
    v.watermark,
    v.visibility,
        CASE
            WHEN ((v.visibility = 'blind'::text) AND (u.connection = ANY (ARRAY['online'::text, 'late'::text, 'offline'::text]))) THEN 'unknown'::text
            ELSE u.connection
        END AS connection_now,
        CASE
            WHEN ((v.visibility = 'blind'::text) AND (u.health <> 'fire'::text)) THEN 'unknown'::text
            ELSE u.health
        END AS health_now,
    (COALESCE((u.unstable_until > v.watermark), false) AND (v.visibility <> 'blind'::text)) AS unstable_now
   FROM (rules.units u
     JOIN rules.visibility_now v USING (partition));

CREATE VIEW rules.visibility_now AS
 SELECT partition,
    watermark,
    blind_after_s,
    saved_at,
        CASE
            WHEN ((watermark IS NULL) OR ((now() - watermark) > make_interval(secs => blind_after_s)) OR ((watermark > now()) AND ((now() - saved_at) > make_interval(secs => blind_after_s)))) THEN 'blind'::text
            ELSE visibility
        END AS visibility
   FROM rules.partitions
 OFFSET 0;

CREATE OR REPLACE FUNCTION alerts.case_subject()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
BEGIN
    IF NEW.subject_kind IS NULL THEN
        NEW.subject_kind := CASE WHEN NEW.kind = 'common_cause' THEN 'common_cause' ELSE 'unit' END;
        NEW.subject_id   := CASE WHEN NEW.kind = 'common_cause' THEN NEW.district || '/' || coalesce(NEW.cause_key, '')
                                 ELSE coalesce(NEW.unit_id, '') END;
    ELSIF NEW.subject_kind = 'unit' THEN
        NEW.unit_id := NEW.subject_id;
    END IF;
    RETURN NEW;
END $function$
;

CREATE TRIGGER case_subject BEFORE INSERT ON alerts.cases FOR EACH ROW EXECUTE FUNCTION alerts.case_subject();

-- What providers of text messages and calls report of a message after they took it, and whose act proves what of a notice.

-- Under which name a provider took a notice, or digest: its reports name it by that. One for each copy. Only alerts writes here.
CREATE TABLE alerts.provider_messages (
    channel    text        NOT NULL CHECK (channel IN ('sms', 'voice')),
    message_id text        NOT NULL,
    notice_id  text        NOT NULL,
    sent_at    timestamptz NOT NULL,
    ask_at     timestamptz,
    PRIMARY KEY (channel, message_id)
);
CREATE INDEX provider_messages_of_notice ON alerts.provider_messages (notice_id);
CREATE INDEX provider_messages_to_ask ON alerts.provider_messages (ask_at) WHERE ask_at IS NOT NULL;
CREATE INDEX provider_messages_by_age ON alerts.provider_messages (sent_at);

CREATE TABLE alerts.delivery_reports (
    channel     text        NOT NULL,
    message_id  text        NOT NULL,
    proof       text        NOT NULL CHECK (proof IN ('failed', 'delivered', 'acknowledged')),
    code        text        NOT NULL,
    at          timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL,
    PRIMARY KEY (channel, message_id, proof),
    FOREIGN KEY (channel, message_id) REFERENCES alerts.provider_messages ON DELETE CASCADE
);

-- As in 0085, but for two things: reports of providers; and that somebody took or verified a case proves something of the
-- notices to his own bodies alone, which the audit names by the roles of accounts. Who has no account speaks for the centre.
CREATE OR REPLACE VIEW alerts.delivery_proofs AS
SELECT n.case_id, n.notice_id, 'accepted' AS proof, n.ended_at AS at, n.channel AS source
FROM alerts.notices n WHERE n.state = 'accepted' AND n.channel <> 'apprise'
UNION ALL
SELECT n.case_id, n.notice_id, r.proof, r.at, 'delivery_report'
FROM alerts.notices n JOIN documents.delivery_reports r ON r.notice_id IN (n.notice_id, n.digest_id)
UNION ALL
SELECT n.case_id, n.notice_id, r.proof, r.at, CASE r.proof WHEN 'acknowledged' THEN 'key_press' ELSE 'provider' END
FROM alerts.notices n
CROSS JOIN LATERAL (
    SELECT m.channel, m.message_id FROM alerts.provider_messages m WHERE m.notice_id = n.notice_id
    UNION ALL
    SELECT m.channel, m.message_id FROM alerts.provider_messages m WHERE m.notice_id = n.digest_id
) m
JOIN alerts.delivery_reports r ON r.channel = m.channel AND r.message_id = m.message_id
UNION ALL
SELECT n.case_id, n.notice_id, 'read', o.first_at, o.via
FROM alerts.notices n JOIN documents.recipients w ON w.document_id = n.document_id AND w.contact_id = n.contact_id
JOIN documents.openings o ON o.document_id = n.document_id AND o.party = w.party AND o.who IN ('', n.contact_id)
WHERE n.state = 'accepted'
UNION ALL
SELECT n.case_id, n.notice_id, 'acknowledged', r.at, r.via
FROM alerts.notices n JOIN alerts.receipts r USING (case_id, body_code) WHERE n.state = 'accepted' AND r.at >= n.created_at
UNION ALL
SELECT n.case_id, n.notice_id, 'acknowledged', r.at, r.via
FROM alerts.notices n JOIN documents.recipients w ON w.document_id = n.document_id AND w.contact_id = n.contact_id
JOIN documents.receipts r ON r.document_id = n.document_id AND r.party = w.party
WHERE n.state = 'accepted'
UNION ALL
-- from the audit: an acknowledgement lapses, that it was given stays
SELECT n.case_id, n.notice_id, CASE t.action WHEN 'verified' THEN 'acted' ELSE 'acknowledged' END, t.at,
       CASE t.action WHEN 'verified' THEN 'verified' ELSE 'taken' END
FROM alerts.notices n
CROSS JOIN LATERAL (
    SELECT a.at, a.actor, a.action, a.detail FROM alerts.audit a WHERE a.case_id = n.case_id
    UNION ALL
    SELECT a.at, a.actor, a.action, a.detail FROM alerts.audit_pending a WHERE a.case_id = n.case_id
) t
LEFT JOIN console.accounts who ON who.username = t.actor
WHERE n.state = 'accepted' AND t.at >= n.created_at AND t.action IN ('acknowledged', 'acknowledged_after_end', 'verified')
  AND t.detail -> ('bodies_' || coalesce(who.role, 'centre')) ? n.body_code
UNION ALL
SELECT n.case_id, n.notice_id, 'acted', s.at, s.via
FROM alerts.notices n JOIN documents.recipients w ON w.document_id = n.document_id AND w.contact_id = n.contact_id
JOIN documents.submissions s ON s.document_id = n.document_id AND s.party = w.party
WHERE n.state = 'accepted';

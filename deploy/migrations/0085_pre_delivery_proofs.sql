-- What is proven of each notice: stored where it happens, put together here.

-- A document was opened: by its link (`who`: the contact) or by an account of the party in the console (`who`: '').
-- Only documents writes here.
CREATE TABLE documents.openings (
    document_id text        NOT NULL REFERENCES documents.documents,
    party       text        NOT NULL,
    via         text        NOT NULL CHECK (via IN ('link', 'console')),
    who         text        NOT NULL,
    first_at    timestamptz NOT NULL,
    last_at     timestamptz NOT NULL,
    PRIMARY KEY (document_id, party, via, who)
);

-- What mail servers report of our mails afterwards (RFC 3464); anybody can write such a report. Only documents writes here.
CREATE TABLE documents.delivery_reports (
    notice_id text        NOT NULL,
    proof     text        NOT NULL CHECK (proof IN ('delivered', 'failed')),
    at        timestamptz NOT NULL,
    mail_id   text        NOT NULL REFERENCES documents.mails,
    PRIMARY KEY (notice_id, proof)
);

-- Words and their order: kernel.words.Proof. What people did says nothing of a notice that no channel accepted: they may have
-- heard of it by another one. Who is neither department, street nor people of the unit is brigade or centre.
CREATE VIEW alerts.delivery_proofs AS
SELECT n.case_id, n.notice_id, 'accepted' AS proof, n.ended_at AS at, n.channel AS source
FROM alerts.notices n WHERE n.state = 'accepted' AND n.channel <> 'apprise'
UNION ALL
SELECT n.case_id, n.notice_id, r.proof, r.at, 'delivery_report'
FROM alerts.notices n JOIN documents.delivery_reports r ON r.notice_id IN (n.notice_id, n.digest_id)
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
SELECT n.case_id, n.notice_id, 'acknowledged', t.at, 'taken'
FROM alerts.notices n JOIN alerts.cases c USING (case_id)
CROSS JOIN LATERAL (
    SELECT a.at FROM alerts.audit a WHERE a.case_id = n.case_id AND a.action IN ('acknowledged', 'acknowledged_after_end')
    UNION ALL
    SELECT a.at FROM alerts.audit_pending a
    WHERE a.case_id = n.case_id AND a.action IN ('acknowledged', 'acknowledged_after_end')
) t
WHERE n.state = 'accepted' AND t.at >= n.created_at AND c.subject_kind <> 'body'
  AND n.body_code NOT IN (c.lead_department, c.town, c.subject_id) AND n.body_code <> ALL (c.copy_departments)
UNION ALL
SELECT n.case_id, n.notice_id, 'acted', s.at, s.via
FROM alerts.notices n JOIN documents.recipients w ON w.document_id = n.document_id AND w.contact_id = n.contact_id
JOIN documents.submissions s ON s.document_id = n.document_id AND s.party = w.party
WHERE n.state = 'accepted'
UNION ALL
SELECT n.case_id, n.notice_id, 'acted', v.at, 'verified'
FROM alerts.notices n JOIN alerts.verifications v USING (case_id) JOIN alerts.cases c USING (case_id)
WHERE n.state = 'accepted' AND v.at >= n.created_at AND n.body_code NOT IN (c.lead_department, c.town, c.subject_id)
  AND n.body_code <> ALL (c.copy_departments);

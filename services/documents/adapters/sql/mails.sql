-- Mails that answer documents: how far the mailbox is read, what came, what a person made of it.

-- mailbox_position --
SELECT uid_validity, last_uid FROM documents.mailboxes WHERE mailbox = %s

-- advance_mailbox --
INSERT INTO documents.mailboxes (mailbox, uid_validity, last_uid) VALUES (%(mailbox)s, %(validity)s, %(uid)s)
ON CONFLICT (mailbox) DO UPDATE SET uid_validity = excluded.uid_validity, last_uid = excluded.last_uid

-- begin_mail --
-- A mail that is being read has a row of its own beside its mailbox, `last_uid` the processes that began with it: one
-- that ends processes is passed over by that.
INSERT INTO documents.mailboxes AS m (mailbox, uid_validity, last_uid) VALUES (%(mail)s, %(validity)s, 1)
ON CONFLICT (mailbox) DO UPDATE SET last_uid = m.last_uid + 1 RETURNING last_uid

-- end_mail --
DELETE FROM documents.mailboxes WHERE mailbox = %s

-- document_of_mail --
SELECT d.document_id FROM documents.documents d
WHERE d.document_id = ANY(%(documents)s::text[]) AND d.state <> 'draft'
ORDER BY array_position(%(documents)s::text[], d.document_id) LIMIT 1

-- documents_of_number --
SELECT document_id FROM documents.documents
WHERE mark = %s AND year = %s AND serial = %s AND state <> 'draft' LIMIT 2

-- insert_mail --
INSERT INTO documents.mails
       (mail_id, sort, state, document_id, reason, message_id, sender, sender_name, subject, text, size, at)
VALUES (%(mail_id)s, %(sort)s, %(state)s, %(document_id)s, %(reason)s, %(message_id)s, %(sender)s, %(sender_name)s,
        %(subject)s, %(text)s, %(size)s, %(at)s)
ON CONFLICT (mail_id) DO NOTHING

-- insert_mail_file --
INSERT INTO documents.mail_files (mail_id, place, sha256, name, size) VALUES (%s, %s, %s, %s, %s)

-- insert_delivery_report --
INSERT INTO documents.delivery_reports (notice_id, proof, at, mail_id) VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING

-- mails --
SELECT m.mail_id, m.sort, m.state, m.document_id, m.reason, m.sender, m.sender_name, m.subject, m.text, m.size, m.at,
       (SELECT count(*) FROM documents.mail_files f WHERE f.mail_id = m.mail_id) AS files, {number} AS number
FROM documents.mails m LEFT JOIN documents.documents d USING (document_id)
WHERE %(all)s OR m.state = 'waiting' ORDER BY m.at DESC, m.mail_id OFFSET %(offset)s LIMIT %(limit)s

-- number --
coalesce(d.own_number, d.mark || '〔' || d.year || '〕' || d.serial || '号')

-- mails_waiting --
SELECT count(*) AS waiting FROM documents.mails WHERE state = 'waiting'

-- mail_seen --
SELECT m.mail_id, m.sort, m.state, m.document_id, m.reason, m.sender, m.sender_name, m.subject, m.text, m.size, m.at,
       {number} AS number
FROM documents.mails m LEFT JOIN documents.documents d USING (document_id) WHERE m.mail_id = %s

-- mail_files_seen --
SELECT a.place, a.name, a.size, f.media_type FROM documents.mail_files a JOIN documents.files f USING (sha256)
WHERE a.mail_id = %s ORDER BY a.place

-- mail_file --
SELECT a.name, f.media_type, f.bytes FROM documents.mail_files a JOIN documents.files f USING (sha256)
WHERE a.mail_id = %s AND a.place = %s

-- mail_acts --
SELECT at, by, act, document_id, party, reason FROM documents.mail_acts WHERE mail_id = %s ORDER BY number

-- mail_parties --
-- Those who were asked: whoever has a copy answers nothing.
SELECT DISTINCT party FROM documents.recipients WHERE document_id = %s AND is_addressee ORDER BY party

-- insert_mail_act --
-- The row of the mail is locked.
INSERT INTO documents.mail_acts (mail_id, number, at, by, act, document_id, party, reason)
SELECT %(mail_id)s, count(*) + 1, %(at)s, %(by)s, %(act)s, %(document_id)s, %(party)s, %(reason)s
FROM documents.mail_acts WHERE mail_id = %(mail_id)s

-- join_mail --
UPDATE documents.mails SET sort = 'reply', state = 'waiting', document_id = %s, decided_at = NULL, decided_by = NULL
WHERE mail_id = %s

-- mail --
SELECT * FROM documents.mails WHERE mail_id = %s FOR UPDATE

-- mail_acts_done --
SELECT count(*) AS done FROM documents.mail_acts WHERE mail_id = %s

-- files_of_mail --
SELECT a.name, f.media_type, f.bytes FROM documents.mail_files a JOIN documents.files f USING (sha256)
WHERE a.mail_id = %s ORDER BY a.place

-- decide_mail --
UPDATE documents.mails SET state = %s, decided_at = %s, decided_by = %s WHERE mail_id = %s

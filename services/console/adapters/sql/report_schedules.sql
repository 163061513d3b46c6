-- Reports that are sent by mail. What was planned stands in the schedule itself, so that of several processes one plans.

-- schedule_columns --
s.schedule_id, s.dimension, s.subject, s.period_kind, s.since, s.paused, s.planned_from, s.planned_edition,
s.planned_revision, s.passed_over

-- schedules_standing --
SELECT {schedule_columns}, s.created_by FROM console.report_schedules s WHERE s.removed_at IS NULL
ORDER BY s.dimension, s.subject, s.period_kind LIMIT %(most)s

-- schedule_one --
SELECT {schedule_columns} FROM console.report_schedules s
WHERE s.schedule_id = %(schedule_id)s AND s.removed_at IS NULL FOR UPDATE

-- schedules_closed --
-- The newest closed periods of each standing schedule: how often a figure of each was published, when first, when last.
-- Each figure counts its own revisions: the highest of them stays as it is while another figure is revised.
SELECT s.schedule_id, closed.first, closed.last, closed.published, closed.since, closed.newest
FROM console.report_schedules AS s
JOIN unnest(%(kinds)s::text[], %(froms)s::timestamptz[]) AS looks (kind, back_to) ON looks.kind = s.period_kind
CROSS JOIN LATERAL (
    SELECT (period_from AT TIME ZONE 'Asia/Shanghai')::date AS first,
           (period_to AT TIME ZONE 'Asia/Shanghai')::date - 1 AS last,
           count(*) AS published, min(recorded_at) AS since, max(recorded_at) AS newest
    FROM compliance.figures
    WHERE slice_kind = s.dimension AND slice_id = s.subject AND period_kind = s.period_kind
      AND period_from >= looks.back_to
    GROUP BY period_from, period_to ORDER BY period_from DESC LIMIT %(most)s
) AS closed
WHERE s.removed_at IS NULL

-- schedule_recipients --
-- Each with the newest mail to it.
SELECT r.schedule_id, r.contact_id, r.stopped_at IS NOT NULL, m.state, m.attempts, m.trouble, m.period_from, m.sent_at,
       m.edition, m.next_try_at
FROM console.report_recipients r
LEFT JOIN LATERAL (
    SELECT state, attempts, trouble, period_from, sent_at, edition, next_try_at FROM console.report_mails m
    WHERE m.schedule_id = r.schedule_id AND m.contact_id = r.contact_id
    ORDER BY period_from DESC, edition DESC LIMIT 1
) AS m ON true
WHERE r.schedule_id = ANY(%(schedules)s) ORDER BY r.schedule_id, r.contact_id

-- schedule_last_sent --
SELECT schedule_id, max(sent_at), max(period_from) FROM console.report_mails
WHERE schedule_id = ANY(%(schedules)s) AND state = 'sent' GROUP BY schedule_id

-- schedule_contacts --
-- Offices with an address, and what kind of body each is of: the register's own word, else that of a pack.
WITH bodies AS (
    SELECT id AS code, body -> 'department' ->> 'kind' AS kind, 0 AS place FROM registry.in_force
    WHERE kind = 'department'
    UNION ALL
    SELECT each ->> 'code', each ->> 'kind', 1 FROM registry.in_force AS pack
    CROSS JOIN LATERAL jsonb_array_elements(pack.body -> 'pack' -> 'departments') AS each
    WHERE pack.kind = 'pack'
), known AS (
    SELECT DISTINCT ON (code) code, kind FROM bodies ORDER BY code, place
)
SELECT c.id, c.body ->> 'name', known.code, known.kind, c.body ->> 'email', coalesce(c.body ->> 'lang', 'zh')
FROM registry.in_force AS c JOIN known ON known.code = c.body ->> 'body_code'
WHERE c.kind = 'contact' AND c.body ->> 'role' = 'office' AND c.body ->> 'email' <> ''
  AND coalesce((c.body ->> 'retired_on')::date > (now() AT TIME ZONE 'Asia/Shanghai')::date, true)
ORDER BY known.code, c.id LIMIT %(most)s

-- schedule_create --
INSERT INTO console.report_schedules (dimension, subject, period_kind, created_by, created_at, since)
VALUES (%(dimension)s, %(subject)s, %(kind)s, %(by)s, %(now)s, %(now)s)
ON CONFLICT DO NOTHING RETURNING schedule_id

-- schedule_drop_recipients --
-- Links in mails that they have already go on naming them: who is chosen again gets another key.
WITH gone AS (
    DELETE FROM console.report_recipients WHERE schedule_id = %(schedule_id)s AND contact_id <> ALL (%(contacts)s)
    RETURNING stop_key, schedule_id, contact_id
)
INSERT INTO console.report_former_keys (stop_key, schedule_id, contact_id)
SELECT stop_key, schedule_id, contact_id FROM gone

-- schedule_add_recipients --
-- Who had stopped his mails and is chosen again gets them again.
INSERT INTO console.report_recipients (schedule_id, contact_id, stop_key)
SELECT %(schedule_id)s, * FROM unnest(%(contacts)s::text[], %(keys)s::text[])
ON CONFLICT (schedule_id, contact_id) DO UPDATE SET stopped_at = NULL

-- report_mails_stale --
-- What waited while nobody wanted it is not sent when somebody does again.
DELETE FROM console.report_mails AS m
WHERE m.schedule_id = %(schedule_id)s AND m.state = 'waiting' AND (m.planned_at < %(before)s OR NOT EXISTS (
    SELECT FROM console.report_recipients r
    WHERE r.schedule_id = m.schedule_id AND r.contact_id = m.contact_id AND r.stopped_at IS NULL))

-- schedule_pause --
UPDATE console.report_schedules SET paused = true WHERE schedule_id = %(schedule_id)s

-- schedule_resume --
-- What closed meanwhile is not sent.
UPDATE console.report_schedules SET paused = false, since = CASE WHEN paused THEN %(now)s ELSE since END
WHERE schedule_id = %(schedule_id)s

-- schedule_retry --
UPDATE console.report_mails AS m SET state = 'waiting', attempts = 0, next_try_at = %(now)s, trouble = ''
FROM console.report_schedules AS s
WHERE m.schedule_id = %(schedule_id)s AND m.state = 'failed' AND s.schedule_id = m.schedule_id
  AND m.period_from = s.planned_from

-- schedule_remove --
UPDATE console.report_schedules SET removed_at = %(now)s WHERE schedule_id = %(schedule_id)s

-- schedule_of_key --
-- Of a schedule that was removed, the one that was made again for the same report and still sends to him: he ends that.
-- Who was taken out gets none; chosen again, his older links end what he gets now.
WITH asked AS (
    SELECT schedule_id, contact_id FROM console.report_recipients WHERE stop_key = %(key)s
    UNION ALL
    SELECT schedule_id, contact_id FROM console.report_former_keys WHERE stop_key = %(key)s
)
SELECT {schedule_columns}, asked.contact_id,
       r.contact_id IS NULL OR r.stopped_at IS NOT NULL OR s.removed_at IS NOT NULL
FROM asked
JOIN console.report_schedules AS was ON was.schedule_id = asked.schedule_id
JOIN console.report_schedules AS s
  ON (s.dimension, s.subject, s.period_kind) = (was.dimension, was.subject, was.period_kind)
LEFT JOIN console.report_recipients AS r ON r.schedule_id = s.schedule_id AND r.contact_id = asked.contact_id
WHERE s.removed_at IS NULL OR s.schedule_id = was.schedule_id
ORDER BY r.contact_id IS NULL, s.removed_at NULLS FIRST LIMIT 1

-- schedule_stop --
UPDATE console.report_recipients SET stopped_at = %(now)s
WHERE schedule_id = %(schedule_id)s AND contact_id = %(contact)s AND stopped_at IS NULL

-- schedule_audit_lock --
LOCK TABLE console.report_audit IN EXCLUSIVE MODE

-- schedule_audit_last --
SELECT seq, at, account, action, about, detail, prev_hash, hash FROM console.report_audit ORDER BY seq DESC LIMIT 1

-- schedule_audited --
SELECT seq, at, account, action, about, detail, prev_hash, hash FROM console.report_audit ORDER BY seq

-- schedule_audit --
INSERT INTO console.report_audit (seq, at, account, action, about, detail, prev_hash, hash)
VALUES (%s, %s, %s, %s, %s, %s::jsonb, %s, %s)

-- schedule_planned --
-- Only from where the plan was made: who comes second finds it done.
UPDATE console.report_schedules
SET planned_from = %(first)s, planned_edition = %(edition)s, planned_revision = %(revision)s,
    passed_over = passed_over + %(passed_over)s
WHERE schedule_id = %(schedule_id)s AND NOT paused AND removed_at IS NULL
  AND planned_from IS NOT DISTINCT FROM %(former)s AND planned_edition = %(former_edition)s

-- schedule_mails_of_report --
INSERT INTO console.report_mails (schedule_id, contact_id, period_from, edition, planned_at, next_try_at)
SELECT schedule_id, contact_id, %(first)s, %(edition)s, %(now)s, %(now)s
FROM console.report_recipients WHERE schedule_id = %(schedule_id)s AND stopped_at IS NULL
ON CONFLICT DO NOTHING

-- schedule_mails_of_correction --
-- To who was sent an older revision; a mail that still waits will have the newest by itself.
INSERT INTO console.report_mails (schedule_id, contact_id, period_from, edition, planned_at, next_try_at)
SELECT r.schedule_id, r.contact_id, %(first)s, %(edition)s, %(now)s, %(now)s
FROM console.report_recipients r JOIN console.report_mails m USING (schedule_id, contact_id)
WHERE r.schedule_id = %(schedule_id)s AND r.stopped_at IS NULL AND m.period_from = %(first)s
GROUP BY r.schedule_id, r.contact_id
HAVING max(m.sent_revision) < %(revision)s AND bool_and(m.state <> 'waiting')
ON CONFLICT DO NOTHING

-- report_mails_lock --
SELECT pg_advisory_xact_lock(%(key)s)

-- report_mails_begun --
SELECT count(*) FROM console.report_mails WHERE tried_at > %(since)s

-- report_mail_claim --
WITH next AS MATERIALIZED (
    SELECT m.mail_id, r.stop_key, {schedule_columns}
    FROM console.report_mails m
    JOIN console.report_schedules s USING (schedule_id)
    JOIN console.report_recipients r USING (schedule_id, contact_id)
    WHERE m.state = 'waiting' AND m.next_try_at <= %(now)s AND NOT s.paused AND s.removed_at IS NULL
      AND r.stopped_at IS NULL
    ORDER BY m.next_try_at, m.mail_id LIMIT 1 FOR UPDATE OF m SKIP LOCKED
)
UPDATE console.report_mails AS mail SET attempts = mail.attempts + 1, tried_at = %(now)s, next_try_at = %(lease)s
FROM next WHERE mail.mail_id = next.mail_id
RETURNING mail.mail_id, next.schedule_id, next.dimension, next.subject, next.period_kind, mail.period_from, mail.edition,
    mail.contact_id, next.stop_key, mail.attempts

-- report_mail_tried --
-- Not one that was taken for lost meanwhile, and is another's.
UPDATE console.report_mails SET state = %(state)s, trouble = %(trouble)s, next_try_at = coalesce(%(next)s, next_try_at),
    sent_at = %(sent_at)s, sent_revision = %(revision)s, sent_to = %(address)s
WHERE mail_id = %(mail_id)s AND attempts = %(attempt)s AND state = 'waiting'

-- report_mails_counts --
-- What waits for nobody any more (paused, stopped, removed) is no trouble, nor is what failed for nobody, or of a period
-- in whose place a newer one was planned: nobody could send it again.
SELECT count(*) FILTER (WHERE m.state = 'waiting'), count(*) FILTER (WHERE m.state = 'failed'),
       min(m.planned_at) FILTER (WHERE m.state = 'waiting' AND m.attempts > 0 AND m.trouble <> '')
FROM console.report_mails m
JOIN console.report_schedules s USING (schedule_id)
JOIN console.report_recipients r USING (schedule_id, contact_id)
WHERE (m.state = 'waiting' OR (m.state = 'failed' AND m.tried_at > %(since)s AND m.period_from = s.planned_from))
  AND NOT s.paused AND s.removed_at IS NULL AND r.stopped_at IS NULL

-- report_mails_forget --
DELETE FROM console.report_mails WHERE mail_id IN (
    SELECT mail_id FROM console.report_mails WHERE planned_at < %(before)s LIMIT 1000)

-- Cases as the page shows them. `{slice}`, `{where}` and `{after}` are filled from the texts of these files, never from a reader's.

-- urgency --
-- What burns, then what may burn, then the rest.
CASE kind WHEN 'fire' THEN 0 WHEN 'unreadable_alarm' THEN 1 WHEN 'unregistered_alarm' THEN 1 ELSE 2 END

-- who --
-- People are shown by name; whoever acknowledged by link or letter has no account here.
coalesce((SELECT a.display_name FROM console.accounts a WHERE a.username = acknowledged_by), acknowledged_by)

-- step_clock --
LEFT JOIN LATERAL (SELECT k.step AS next_step, k.due_at AS next_step_at FROM alerts.clocks k
                   WHERE k.case_id = c.case_id AND k.kind = 'step') AS clock ON true

-- case_marks --
SELECT subject_id, case_id, kind, step, next_step, next_step_at, {who}, acknowledged_at
FROM alerts.cases c {step_clock} WHERE {slice} AND state = 'open' AND subject_kind = 'unit' AND subject_id = ANY(%(unit_ids)s)
ORDER BY subject_id, {urgency}, kind <> 'connection_lost', opened_at

-- case_columns --
case_id, kind, state, CASE WHEN c.subject_kind = 'unit' THEN c.subject_id END, unit_name, unit_name_en,
town, category, lead_department, copy_departments, cause_key,
CASE WHEN kind = 'common_cause'
     THEN (SELECT count(*) FROM alerts.cases m WHERE m.common_case_id = c.case_id) ELSE 0 END,
effective_at, detected_at, opened_at, closed_at, drops, step, next_step, next_step_at, held_until,
(SELECT k.due_at FROM alerts.clocks k WHERE k.case_id = c.case_id AND k.kind = 'reply'),
acknowledged_at, {who}, acknowledged_note, acknowledged_step, ladder,
coalesce((SELECT u.address FROM rules.units u WHERE c.subject_kind = 'unit' AND u.unit_id = c.subject_id), ''),
owner, {owner_name}, owned_at, owned_until, {alarm_facts}, shelved_until, {shelved_by}

-- place_of --
-- Where a case stands among the most pressing: what burns, what may burn, the rest; of these, what nobody has taken.
({urgency}) * 4 + (acknowledged_at IS NOT NULL)::int * 2 + (kind <> 'common_cause')::int

-- cases_pressing --
-- Pages are found among narrow columns; what is wide is read for the rows of the page alone.
SELECT case_id, rank, due, opened_at FROM (
  SELECT case_id, {place_of} AS rank, next_step_at AS due, opened_at
  FROM alerts.cases c {step_clock} {owning} WHERE {slice} AND state = 'open' AND {where}) AS c
WHERE {after} ORDER BY rank, due NULLS LAST, opened_at, case_id LIMIT %(limit)s

-- after_pressing --
(rank, coalesce(due, 'infinity'), opened_at, case_id)
> (%(rank)s, coalesce(%(due)s::timestamptz, 'infinity'), %(at)s, %(behind)s)

-- cases_newest --
SELECT case_id, 0, NULL, opened_at FROM alerts.cases c {owning} WHERE {slice} AND state = 'open' AND {where} AND {after}
ORDER BY opened_at DESC, case_id DESC LIMIT %(limit)s

-- after_newest --
(opened_at, case_id) < (%(at)s, %(behind)s)

-- cases_oldest --
SELECT case_id, 0, NULL, opened_at FROM alerts.cases c {owning} WHERE {slice} AND state = 'open' AND {where} AND {after}
ORDER BY opened_at, case_id LIMIT %(limit)s

-- after_oldest --
(opened_at, case_id) > (%(at)s, %(behind)s)

-- cases_closed --
-- The page is found in the index alone: whoever has few cases would else have all rows fetched to find them.
SELECT case_id, 0, NULL, closed_at FROM alerts.cases c WHERE {slice} AND state = 'closed' AND {where} AND {after}
ORDER BY closed_at DESC NULLS LAST, case_id LIMIT %(limit)s

-- after_closed --
closed_at <= %(at)s AND (closed_at < %(at)s OR case_id > %(behind)s)

-- cases_matching --
SELECT count(*) FROM alerts.cases c {owning} WHERE {slice} AND state = %(state)s AND {where}

-- cases_of_page --
SELECT {case_columns} FROM alerts.cases c {step_clock} {owning} {shelving} WHERE case_id = ANY(%(case_ids)s)

-- owning --
LEFT JOIN LATERAL (SELECT o.account AS owner, o.since AS owned_at, o.until AS owned_until FROM alerts.owners o
                   WHERE o.case_id = c.case_id AND o.until > now() AND c.state = 'open') AS owning ON true

-- shelving --
LEFT JOIN LATERAL (SELECT s.account AS shelver, s.until AS shelved_until FROM alerts.shelved s
                   WHERE s.case_id = c.case_id AND s.until > now() AND s.since >= c.detected_at AND c.state = 'open') AS shelving ON true

-- shelved_by --
coalesce((SELECT a.display_name FROM console.accounts a WHERE a.username = shelver), shelver)

-- owner_name --
coalesce((SELECT a.display_name FROM console.accounts a WHERE a.username = owner), owner)

-- mine --
owner = %(reader)s

-- untaken --
acknowledged_at IS NULL

-- alarm_facts --
(SELECT f.facts FROM alerts.alarm_facts f WHERE f.case_id = c.case_id)

-- in_alarm_state --
{alarm_facts} = ANY(%(alarm_facts)s)

-- in_sight --
-- What brigade or centre has shelved is not in their lists until its time has passed; what burns, or may, always is.
(kind IN ('fire', 'unreadable_alarm', 'unregistered_alarm') OR NOT EXISTS (
    SELECT FROM alerts.shelved s WHERE s.case_id = c.case_id AND s.until > now() AND s.since >= c.detected_at))

-- of_kinds --
kind = ANY(%(kinds)s)

-- of_step --
step = %(step)s

-- of_town --
town = %(town)s

-- of_department --
(lead_department = %(lead)s OR copy_departments @> ARRAY[%(lead)s::text])

-- unit_named --
(u.name ILIKE %(like)s OR u.name_en ILIKE %(like)s OR u.unit_id ILIKE %(like)s OR u.address ILIKE %(like)s
 OR u.name IN (SELECT n.name FROM console.name_initials n WHERE n.initials LIKE %(initials)s))

-- open_named --
(case_id ILIKE %(like)s OR unit_name ILIKE %(like)s OR unit_name_en ILIKE %(like)s OR cause_key ILIKE %(like)s
 OR subject_kind = 'unit' AND subject_id IN (SELECT u.unit_id FROM rules.units u WHERE {unit_named}))

-- closed_named --
-- From the units that are meant to their cases: years of closed cases are not read for a name.
case_id IN (SELECT x.case_id FROM alerts.cases x WHERE x.case_id = %(exact)s
            UNION ALL
            SELECT x.case_id FROM rules.units u
            JOIN alerts.cases x ON x.subject_kind = 'unit' AND x.subject_id = u.unit_id AND x.state = 'closed'
            WHERE {unit_named})

-- case --
SELECT {case_columns} FROM alerts.cases c {step_clock} {owning} {shelving} WHERE {slice} AND case_id = %(case_id)s

-- case_papers --
SELECT finding_id, clause, route_clause, pack_id, pack_version, evidence, close_reason, acknowledged_via,
       common_case_id, sightings
FROM alerts.cases WHERE case_id = %(case_id)s

-- case_documents --
SELECT d.document_id, coalesce(r.number, ''), t.title,
       ARRAY(SELECT f.language || '.' || f.kind FROM documents.rendition_files f WHERE f.document_id = d.document_id
             ORDER BY f.language <> 'zh', f.language, f.kind DESC)
FROM documents.documents d JOIN documents.renditions t ON t.document_id = d.document_id AND t.language = 'zh'
LEFT JOIN alerts.requests r ON r.request_id = d.request_id
WHERE d.case_id = %(case_id)s ORDER BY d.issued_at, d.document_id

-- document_file --
SELECT f.content FROM documents.rendition_files f JOIN documents.documents d USING (document_id)
JOIN alerts.cases c USING (case_id)
WHERE {slice} AND case_id = %(case_id)s AND document_id = %(document_id)s AND f.language = %(language)s
  AND f.kind = %(kind)s

-- outside_common --
-- Whoever sees the common case sees its members there, not once more in the list.
-- Not as NOT EXISTS: the planner takes that join for one that leaves a single row, and looks for each case's clock by
-- itself. The common causes are few, found by the index of what is open, and read once.
(c.common_case_id IS NULL OR c.kind = 'fire' OR c.common_case_id <> ALL (ARRAY(
    SELECT o.case_id FROM alerts.cases o WHERE o.state = 'open' AND o.subject_kind = 'common_cause')))

-- case_counts --
SELECT count(*), count(*) FILTER (WHERE acknowledged_at IS NULL), count(*) FILTER (WHERE held_until > now()),
       count(*) FILTER (WHERE NOT {in_sight})
FROM alerts.cases c WHERE {slice} AND state = 'open'

-- returned_count --
-- Up to a number: nobody reads further, and years of it may lie there.
SELECT count(*) FROM (SELECT FROM alerts.cases c WHERE {slice} AND state = 'closed' AND acknowledged_at IS NULL
                      AND close_reason IS DISTINCT FROM 'registry' LIMIT 1000) AS found

-- case_signals --
-- What was received of the very kind, from the begin of the case on. An alarm of a gateway in no register is no signal.
SELECT s.received_at, s.kind, s.gateway_id, coalesce(s.body #>> '{{point,address}}', ''),
       coalesce(s.body #>> '{{point,label}}', ''), coalesce(s.body ->> 'text', ''),
       coalesce(s.body -> 'flags' ? 'salvaged', false), s.body -> 'notes', s.body ->> 'refusal_id'
FROM alerts.cases c JOIN rules.signals s ON c.subject_kind = 'unit' AND s.unit_id = c.subject_id AND s.kind = c.kind
 AND s.received_at BETWEEN least(c.effective_at, c.detected_at) - interval '1 second' AND coalesce(c.closed_at, now())
WHERE c.case_id = %(case_id)s ORDER BY s.received_at, s.signal_id LIMIT 50

-- steps --
SELECT case_id, step, due_at, taken_at, document, clause, recipients, nobody
FROM alerts.steps WHERE case_id = ANY(%(case_ids)s) ORDER BY case_id, taken_at, step

-- receipts --
SELECT r.case_id, r.body_code, r.step, r.at,
       coalesce((SELECT a.display_name FROM console.accounts a WHERE a.username = r.by), r.by), r.note
FROM alerts.receipts r WHERE r.case_id = ANY(%(case_ids)s) ORDER BY r.case_id, r.at, r.body_code

-- comments --
SELECT m.at, coalesce((SELECT a.display_name FROM console.accounts a WHERE a.username = m.by), m.by), m.body_code, m.text
FROM alerts.comments m WHERE m.case_id = %(case_id)s ORDER BY m.number

-- verifications --
SELECT v.case_id, v.finding, v.at,
       coalesce((SELECT a.display_name FROM console.accounts a WHERE a.username = v.by), v.by), v.note, v.cause
FROM alerts.verifications v WHERE v.case_id = ANY(%(case_ids)s) ORDER BY v.case_id, v.number

-- delivery_counts --
SELECT case_id, state, count(*) FROM alerts.notices WHERE case_id = ANY(%(case_ids)s) GROUP BY 1, 2

-- deliveries --
SELECT notice_id, step, purpose, body_code, contact_id, channel, subject, state, attempts, created_at, ended_at, reason,
       coalesce((SELECT f.body ->> 'role' FROM registry.in_force f WHERE f.kind = 'contact' AND f.id = contact_id), ''),
       p.proof, p.at, p.source
FROM alerts.notices LEFT JOIN (
    SELECT DISTINCT ON (notice_id) notice_id, proof, at, source FROM alerts.delivery_proofs
    WHERE case_id = %(case_id)s ORDER BY notice_id, array_position(%(strength)s::text[], proof) DESC, at) AS p USING (notice_id)
WHERE case_id = %(case_id)s ORDER BY created_at, notice_id LIMIT 500

-- fires --
SELECT c.subject_id, c.case_id, c.unit_name, c.unit_name_en,
       coalesce((SELECT u.address FROM rules.units u WHERE u.unit_id = c.subject_id), ''), c.town, c.effective_at,
       {who}, c.acknowledged_at, c.kind
FROM alerts.cases c WHERE {slice} AND state = 'open' AND subject_kind = 'unit' AND kind = ANY(%(kinds)s)
ORDER BY acknowledged_at IS NOT NULL, {urgency}, effective_at DESC LIMIT 50

-- fires_ended --
-- Over before anybody took them: in sight until somebody does.
SELECT c.subject_id, c.case_id, c.unit_name, c.unit_name_en,
       coalesce((SELECT u.address FROM rules.units u WHERE u.unit_id = c.subject_id), ''), c.town, c.effective_at,
       NULL, NULL, c.kind, least(c.closed_at, greatest(c.restored_at, c.over_at))
FROM alerts.cases c
WHERE {slice} AND c.state = 'closed' AND c.kind = 'fire' AND c.acknowledged_at IS NULL
ORDER BY c.closed_at DESC LIMIT 50

-- components --
-- What a case is about: each component that a notice named or a stored signal of its kind. Who has no contact gets no
-- notice, and a signal is stored a moment after its notice went out: neither alone would name all of them at once.
SELECT DISTINCT ON (case_id, system, address)
       case_id, system, address, label, since, (system || '|' || address) = ANY(burning)
FROM (
  SELECT c.case_id, c.burning, coalesce(n.about #>> '{{place,system}}', '') AS system,
         n.about #>> '{{place,address}}' AS address, coalesce(n.about #>> '{{place,label}}', '') AS label,
         n.caused_at AS since
  FROM alerts.cases c JOIN alerts.notices n USING (case_id)
  WHERE c.case_id = ANY(%(case_ids)s) AND n.purpose = 'notice'
  UNION ALL
  SELECT c.case_id, c.burning, coalesce(s.body #>> '{{point,system}}', ''), s.body #>> '{{point,address}}',
         coalesce(s.body #>> '{{point,label}}', ''), s.received_at
  FROM alerts.cases c JOIN rules.signals s ON c.subject_kind = 'unit' AND s.unit_id = c.subject_id AND s.kind = c.kind
   AND s.received_at BETWEEN least(c.effective_at, c.detected_at) - interval '1 second' AND coalesce(c.closed_at, now())
  WHERE c.case_id = ANY(%(case_ids)s)
) AS named WHERE address IS NOT NULL
ORDER BY case_id, system, address, label = '', since LIMIT 1000

-- components_of_units --
-- What burns in a unit whose case is not open yet.
SELECT DISTINCT ON (unit_id, system, address) unit_id, system, address, label, since, true
FROM (
  SELECT u.unit_id, coalesce(s.body #>> '{{point,system}}', '') AS system, s.body #>> '{{point,address}}' AS address,
         coalesce(s.body #>> '{{point,label}}', '') AS label, s.received_at AS since
  FROM rules.units u JOIN rules.signals s ON s.unit_id = u.unit_id AND s.kind = 'fire'
   AND s.received_at >= coalesce(u.health_since, u.updated_at) - interval '1 minute'
  WHERE u.unit_id = ANY(%(unit_ids)s)
) AS named WHERE address IS NOT NULL
ORDER BY unit_id, system, address, label = '', since LIMIT 1000

-- fires_without_case --
-- Known to rules, not (or no longer) an open case: the banner must not depend on alerts being alive.
SELECT u.unit_id, NULL, u.name, u.name_en, u.address, u.town, coalesce(u.health_since, u.updated_at), NULL, NULL, 'fire'
FROM rules.units u WHERE {slice} AND health = 'fire' AND NOT EXISTS (
  SELECT FROM alerts.cases c
  WHERE c.subject_kind = 'unit' AND c.subject_id = u.unit_id AND c.kind = 'fire' AND c.state = 'open')
ORDER BY health_since DESC LIMIT 50

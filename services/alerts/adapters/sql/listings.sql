-- Listings for supervision: written by people's acts and by steps of ladders, read by the console.

-- listing_names --
listing_id, case_id, number, state, proposed_at, proposed_by, reason, level, document, listed_on, deadline, due_at,
extension, evidence, files, recheck, approved_by, ended_at, revision

-- listing --
SELECT {listing_names} FROM alerts.listings WHERE listing_id = %s

-- listings_of --
SELECT {listing_names} FROM alerts.listings WHERE case_id = %s ORDER BY number

-- put_listings --
INSERT INTO alerts.listings AS l ({listing_names})
SELECT {listing_names} FROM jsonb_populate_recordset(NULL::alerts.listings, %s::jsonb)
ON CONFLICT (listing_id) DO UPDATE
   SET state = excluded.state, level = excluded.level, document = excluded.document, listed_on = excluded.listed_on,
       deadline = excluded.deadline, due_at = excluded.due_at, extension = excluded.extension,
       evidence = excluded.evidence, files = excluded.files, recheck = excluded.recheck,
       approved_by = excluded.approved_by, ended_at = excluded.ended_at, revision = excluded.revision

-- propose_listings --
-- What steps of ladders propose, whose cases are locked; nothing where a listing is under way. The step stands in the
-- chain with its document already, and so does that it proposed.
WITH new AS (
    INSERT INTO alerts.listings (listing_id, case_id, number, state, proposed_at, proposed_by)
    SELECT n.listing_id, n.case_id, (SELECT count(*) FROM alerts.listings o WHERE o.case_id = n.case_id) + 1,
           'proposed', n.at, 'ladder'
    FROM jsonb_to_recordset(%s::jsonb) AS n (listing_id text, case_id text, at timestamptz, detail jsonb)
    ON CONFLICT DO NOTHING RETURNING listing_id, case_id, proposed_at
), said AS (
    SELECT new.*, n.detail FROM new
    JOIN jsonb_to_recordset(%s::jsonb) AS n (listing_id text, detail jsonb) USING (listing_id)
), acts AS (
    INSERT INTO alerts.listing_acts (listing_id, number, case_id, at, by, act, detail)
    SELECT listing_id, 1, case_id, proposed_at, 'ladder', 'propose', detail FROM said
)
INSERT INTO alerts.audit_pending (at, actor, action, case_id, detail)
SELECT proposed_at, 'alerts', 'listing_propose', case_id,
       jsonb_build_object('listing', listing_id) || detail FROM said

-- listing_act_names --
listing_id, number, case_id, at, by, body_code, act, detail, due_at

-- unpublished_listing_acts --
-- An act of a version before has no deadline of its own: that of the listing, as it stands.
SELECT a.listing_id, a.number, a.act, a.at, a.case_id, c.subject_id, c.district, c.town, c.lead_department,
       CASE WHEN a.act = 'propose' THEN NULL ELSE coalesce(a.due_at, l.due_at) END
FROM alerts.listing_acts a JOIN alerts.listings l USING (listing_id) JOIN alerts.cases c ON c.case_id = a.case_id
WHERE NOT a.published ORDER BY a.at, a.listing_id, a.number LIMIT %s

-- mark_listing_acts_published --
UPDATE alerts.listing_acts a SET published = true
FROM unnest(%s::text[], %s::integer[]) AS n (listing_id, number)
WHERE (a.listing_id, a.number) = (n.listing_id, n.number)

-- insert_listing_acts --
INSERT INTO alerts.listing_acts ({listing_act_names})
SELECT {listing_act_names} FROM jsonb_populate_recordset(NULL::alerts.listing_acts, %s::jsonb)

-- insert_listing_file --
INSERT INTO alerts.listing_files (listing_id, number, case_id, sha256, name, media_type, size, content, source)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING

-- listing_seen_by --
-- The body that looks sees listings of cases that it leads, is copied to, or that lie in its street.
(%(body_code)s::text IS NULL OR c.lead_department = %(body_code)s OR c.town = %(body_code)s
 OR %(body_code)s = ANY(c.copy_departments))

-- listing_row --
l.listing_id, l.case_id, l.number, l.state, l.proposed_at, l.proposed_by, l.reason, l.level, l.document, l.listed_on,
l.deadline, l.due_at, l.extension, l.evidence, l.files, l.recheck, l.approved_by, l.ended_at, l.revision,
coalesce(l.due_at <= %(now)s AND l.state IN ('listed', 'recheck', 'approval'), false) AS overdue,
c.kind, c.subject_id AS unit_id, c.unit_name, c.unit_name_en, c.town, c.lead_department, c.state AS case_state,
c.detected_at, c.closed_at, c.cured_at

-- listings_page --
SELECT {listing_row} FROM alerts.listings l JOIN alerts.cases c USING (case_id)
WHERE {listing_seen_by}
  AND (%(states)s::text[] IS NULL OR l.state = ANY(%(states)s))
  AND (%(town)s::text IS NULL OR c.town = %(town)s)
  AND (%(department)s::text IS NULL OR c.lead_department = %(department)s OR %(department)s = ANY(c.copy_departments))
  AND (%(case_id)s::text IS NULL OR l.case_id = %(case_id)s)
  AND (NOT %(overdue)s OR (l.due_at <= %(now)s AND l.state IN ('listed', 'recheck', 'approval')))
ORDER BY l.proposed_at DESC, l.listing_id LIMIT %(limit)s OFFSET %(offset)s

-- listing_view --
SELECT {listing_row} FROM alerts.listings l JOIN alerts.cases c USING (case_id)
WHERE l.listing_id = %(listing_id)s AND {listing_seen_by}

-- listing_acts_of --
SELECT number, at, by, body_code, act, detail FROM alerts.listing_acts WHERE listing_id = %s ORDER BY number

-- listing_files_of --
SELECT number, sha256, name, media_type, size, source FROM alerts.listing_files WHERE listing_id = %s ORDER BY number, name

-- listing_file --
SELECT f.name, f.media_type, f.content
FROM alerts.listing_files f JOIN alerts.listings l USING (listing_id) JOIN alerts.cases c ON c.case_id = l.case_id
WHERE f.listing_id = %(listing_id)s AND f.sha256 = %(sha256)s AND {listing_seen_by} LIMIT 1

-- months_by_slice --
SELECT metric, scope, slice_kind, slice_id, period_from, period_to, revision, numerator, denominator, unknown, exempt
FROM compliance.figures_now
WHERE period_kind = 'month' AND slice_kind = ANY (%s)

-- entries --
-- Those that a second person approved, in the order of the approvals.
SELECT s.entry_id, s.district, s.scheme_id, s.body_id, s.criterion_id, s.month, s.points, s.most, s.account, s.reason
FROM registry.manual_scores s JOIN registry.score_decisions d ON d.entry_id = s.entry_id AND d.state = 'approved'
ORDER BY d.decided_at, s.entry_id

-- listing_acts --
SELECT listing_id, number, act, at, due_at, unit_id, district, town, department FROM compliance.listing_acts
ORDER BY listing_id, number

-- add_listing_act --
-- Of two copies of an act the later on the log holds. Where it is another act, the database of alerts was put back and the
-- number used anew: what followed the former one is gone (`_take` in services/compliance/domain/listings.py).
WITH new (listing_id, number, act, at, due_at, unit_id, district, town, department) AS (
    VALUES (%s::text, %s::integer, %s::text, %s::timestamptz, %s::timestamptz, %s::text, %s::text, %s::text, %s::text)
), gone AS (
    DELETE FROM compliance.listing_acts AS l USING new, compliance.listing_acts AS former
    WHERE (former.listing_id, former.number) = (new.listing_id, new.number)
      AND (former.act, former.at) <> (new.act, new.at)
      AND l.listing_id = new.listing_id AND l.number > new.number
)
INSERT INTO compliance.listing_acts (listing_id, number, act, at, due_at, unit_id, district, town, department)
SELECT * FROM new
ON CONFLICT (listing_id, number) DO UPDATE
SET act = excluded.act, at = excluded.at, due_at = excluded.due_at, unit_id = excluded.unit_id,
    district = excluded.district, town = excluded.town, department = excluded.department

-- newest_entry --
-- Another answer by whatever changes scores. An act of a listing may be replaced, so counting them does not do.
SELECT count(*), max(decided_at), (SELECT sum(hashtextextended(l::text, 0)) FROM compliance.listing_acts l),
       (SELECT array_agg(word ORDER BY word) FROM compliance.released_words)
FROM registry.score_decisions WHERE state = 'approved'

-- standing_scores --
SELECT scheme_id, body_id, period_kind, period_from, revision, score::text, period_to, pack_id, pack_version, withdrawn
FROM compliance.scores_now

-- is_released --
-- Whether nothing runs any more that refuses the word: `migrate --post` of the release that brought it was run.
SELECT EXISTS (SELECT FROM compliance.released_words WHERE word = %s)

-- told_grades --
SELECT scheme_id, body_id, finding_id, year_from, revision, is_open FROM compliance.grade_findings

-- save_grade --
INSERT INTO compliance.grade_findings (scheme_id, body_id, finding_id, year_from, revision, is_open)
VALUES (%s, %s, %s, %s, %s, %s)
ON CONFLICT (scheme_id, body_id) DO UPDATE
SET finding_id = excluded.finding_id, year_from = excluded.year_from, revision = excluded.revision,
    is_open = excluded.is_open

-- database_now --
SELECT now()

-- add_score --
INSERT INTO compliance.scores (
    scheme_id, body_id, period_kind, period_from, period_to, revision, low, high, grade, provisional, list, pack_id,
    pack_version, withdrawn, score
) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT DO NOTHING

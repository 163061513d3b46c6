-- Files that people want the register to take.

-- proposals_count --
SELECT count(*) FROM registry.proposals WHERE proposal_id LIKE %s

-- proposals_waiting --
SELECT count(*) FROM registry.proposals WHERE state = 'requested'

-- proposal --
SELECT proposal_id, kind, file_name, content, sha256, valid_from, meant, reason, rows, entities, requested_by,
    requested_at, known_at, changes_sha256, approvals_needed, approvals, state, changed_at, note
FROM registry.proposals WHERE proposal_id = %s

-- proposal_put --
INSERT INTO registry.proposals (
    proposal_id, kind, file_name, content, sha256, valid_from, meant, reason, rows, entities, requested_by,
    requested_at, known_at, changes_sha256, approvals_needed, approvals, state, changed_at, note
) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (proposal_id) DO UPDATE SET approvals = excluded.approvals, state = excluded.state,
    changed_at = excluded.changed_at, note = excluded.note

-- proposals_unpublished --
-- A pack brings new routes along, whose units are no entities of its proposal.
SELECT EXISTS (
    SELECT FROM registry.unpublished u JOIN registry.proposals p ON p.state = 'approved'
    WHERE (p.kind = u.kind AND u.id = ANY (p.entities)) OR (p.kind = 'pack' AND u.kind = 'unit')
)

-- What may be forgotten of the facts (ADR 46). Old rows stay while a case that is open, or was closed less than the
-- retention ago, tells of their unit, and while the state that they began goes on.

-- retention_horizon --
-- As old as the log has come, not as the clock says; and where compliance publishes, the first year that is not closed.
SELECT least(now(), (SELECT min(watermark) FROM rules.partitions)),
       coalesce((SELECT max(period_to) FROM compliance.figures WHERE period_kind = 'year'),
                (SELECT min(period_from) FROM compliance.figures WHERE period_kind = 'day'))

-- told_of --
FROM alerts.cases AS one
WHERE one.subject_kind = 'unit' AND one.subject_id = old.unit_id
  AND (one.state = 'open' OR one.closed_at >= %(before)s)

-- removable_transition --
-- The state of a unit is its last transition, however old: only one that another followed may go.
EXISTS (SELECT FROM rules.transitions AS later
        WHERE later.unit_id = old.unit_id AND later.aspect = old.aspect
          AND later.effective_at > old.effective_at AND later.effective_at <= %(before)s)
AND NOT EXISTS (SELECT {told_of} AND one.effective_at <= old.effective_at + interval '1 day')

-- transitions_delete --
DELETE FROM rules.transitions AS gone USING (
    SELECT transition_id, effective_at FROM rules.transitions AS old
    WHERE old.effective_at < %(before)s AND {removable_transition}
    ORDER BY old.effective_at LIMIT %(rows)s) AS found
WHERE gone.transition_id = found.transition_id AND gone.effective_at = found.effective_at

-- transitions_needed --
SELECT EXISTS (SELECT FROM rules.transitions AS old
               WHERE old.effective_at >= %(first)s AND old.effective_at < %(last)s AND NOT ({removable_transition}))

-- removable_component --
-- A trouble that goes on stays. The end of one goes last, after all that came before it: else a beginning were left that
-- never ends.
(EXISTS (SELECT FROM rules.component_transitions AS later
         WHERE later.unit_id = old.unit_id AND later.system = old.system AND later.address = old.address
           AND later.kind = old.kind AND later.effective_at > old.effective_at AND later.effective_at <= %(before)s)
 OR NOT old.open AND NOT EXISTS (
         SELECT FROM rules.component_transitions AS earlier
         WHERE earlier.unit_id = old.unit_id AND earlier.system = old.system AND earlier.address = old.address
           AND earlier.kind = old.kind AND earlier.effective_at <= old.effective_at
           AND earlier.transition_id <> old.transition_id))
AND NOT EXISTS (SELECT {told_of} AND one.effective_at <= old.effective_at + interval '1 day')

-- components_delete --
DELETE FROM rules.component_transitions AS gone USING (
    SELECT transition_id, effective_at FROM rules.component_transitions AS old
    WHERE old.effective_at < %(before)s AND {removable_component}
    ORDER BY old.effective_at LIMIT %(rows)s) AS found
WHERE gone.transition_id = found.transition_id AND gone.effective_at = found.effective_at

-- components_needed --
SELECT EXISTS (SELECT FROM rules.component_transitions AS old
               WHERE old.effective_at >= %(first)s AND old.effective_at < %(last)s AND NOT ({removable_component}))

-- signals_delete --
DELETE FROM rules.signals AS gone USING (
    SELECT signal_id, received_at FROM rules.signals AS old
    WHERE old.received_at < %(before)s
      AND NOT EXISTS (SELECT {told_of} AND one.effective_at <= old.received_at + interval '1 day')
    ORDER BY old.received_at LIMIT %(rows)s) AS found
WHERE gone.signal_id = found.signal_id AND gone.received_at = found.received_at

-- signals_needed --
SELECT EXISTS (SELECT FROM rules.signals AS old
               WHERE old.received_at >= %(first)s AND old.received_at < %(last)s
                 AND EXISTS (SELECT {told_of} AND one.effective_at <= old.received_at + interval '1 day'))

-- hours_delete --
DELETE FROM rules.heartbeats_hourly AS gone USING (
    SELECT unit_id, hour FROM rules.heartbeats_hourly WHERE hour < %(before)s ORDER BY hour LIMIT %(rows)s) AS found
WHERE gone.unit_id = found.unit_id AND gone.hour = found.hour

-- samples_carry --
-- A counter that has not changed since has no newer sample: what it said stands at the new beginning.
INSERT INTO rules.rate_samples (sampled_at, partition, scope, dimension, value, in_scope, connected, unknown, exempt)
SELECT %(before)s, held.partition, held.scope, held.dimension, held.value, last.in_scope, last.connected, last.unknown,
       last.exempt
FROM rules.rate_counts AS held
CROSS JOIN LATERAL (
    SELECT in_scope, connected, unknown, exempt FROM rules.rate_samples AS one
    WHERE one.partition = held.partition AND one.scope = held.scope AND one.dimension = held.dimension
      AND one.value = held.value AND one.sampled_at <= %(before)s
    ORDER BY one.sampled_at DESC LIMIT 1
) AS last
ON CONFLICT DO NOTHING

-- samples_delete --
DELETE FROM rules.rate_samples AS gone USING (
    SELECT partition, scope, dimension, value, sampled_at FROM rules.rate_samples
    WHERE sampled_at < %(before)s ORDER BY sampled_at LIMIT %(rows)s) AS found
WHERE gone.partition = found.partition AND gone.scope = found.scope AND gone.dimension = found.dimension
  AND gone.value = found.value AND gone.sampled_at = found.sampled_at

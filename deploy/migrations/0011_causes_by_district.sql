-- Two districts in one installation never share a ladder: a carrier that fails in both is a case of each.
DROP INDEX alerts.one_open_common_case;
CREATE UNIQUE INDEX one_open_common_case ON alerts.cases (cause_key, district)
    WHERE state = 'open' AND cause_key IS NOT NULL AND kind = 'common_cause';

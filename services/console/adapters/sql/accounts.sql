-- Accounts and sessions.

-- account_columns --
username, role, department, display_name, password_hash, disabled, failed_logins, locked_until, administers,
one_time_until, display_name_en, second_factor, recovery_codes, identity_issuer, identity_subject

-- account_find --
SELECT {account_columns} FROM console.accounts WHERE username = %s

-- account_save --
INSERT INTO console.accounts (
    username, role, department, display_name, password_hash, created_at, administers, display_name_en
) VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (username) DO UPDATE SET role = excluded.role, department = excluded.department,
    display_name = excluded.display_name, password_hash = excluded.password_hash,
    disabled = false, failed_logins = 0, locked_until = NULL, administers = excluded.administers, one_time_until = NULL,
    display_name_en = excluded.display_name_en
RETURNING {account_columns}

-- screen_save --
-- Never in the place of a person's account: that would lock the person out.
INSERT INTO console.accounts (
    username, role, department, display_name, password_hash, created_at, administers, display_name_en
) VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (username) DO UPDATE SET display_name = excluded.display_name, disabled = false
WHERE console.accounts.role = 'screen'
RETURNING {account_columns}

-- account_create --
INSERT INTO console.accounts (
    username, role, department, display_name, password_hash, created_at, administers, display_name_en, one_time_until
) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (username) DO NOTHING
RETURNING {account_columns}

-- account_change_password --
-- Hashing takes long: whatever else was done to the account meanwhile stays, and a password that came first stands.
UPDATE console.accounts SET password_hash = %s, one_time_until = NULL, failed_logins = 0, locked_until = NULL
WHERE username = %s AND NOT disabled AND password_hash = %s
RETURNING {account_columns}

-- account_edit --
UPDATE console.accounts SET role = %s, department = %s, display_name = %s, administers = %s, display_name_en = %s
WHERE username = %s AND role <> 'screen'
RETURNING {account_columns}

-- account_reset --
UPDATE console.accounts
SET password_hash = %s, one_time_until = %s, disabled = false, failed_logins = 0, locked_until = NULL
WHERE username = %s AND role <> 'screen'
RETURNING {account_columns}

-- account_set_factor --
-- Only with the password that was verified, and where no other factor came first.
UPDATE console.accounts SET second_factor = %s, second_factor_step = %s, recovery_codes = %s
WHERE username = %s AND NOT disabled AND password_hash = %s AND second_factor IS NULL
RETURNING {account_columns}

-- account_drop_factor --
UPDATE console.accounts SET second_factor = NULL, second_factor_step = 0, recovery_codes = '{{}}'
WHERE username = %s AND second_factor IS NOT NULL
RETURNING {account_columns}

-- account_take_step --
-- Of two who come with the same code, or with an older one, the second finds that the step is not newer.
UPDATE console.accounts SET second_factor_step = %(step)s
WHERE username = %(username)s AND second_factor = %(sealed)s AND second_factor_step < %(step)s

-- account_take_recovery_code --
UPDATE console.accounts SET recovery_codes = array_remove(recovery_codes, %(code)s)
WHERE username = %(username)s AND recovery_codes @> ARRAY[%(code)s::text]
RETURNING {account_columns}

-- administrators_left --
-- Whoever has a password of his own and may use it: one-time passwords end by themselves.
SELECT count(*) FROM console.accounts WHERE administers AND NOT disabled AND one_time_until IS NULL

-- account_linked --
SELECT {account_columns} FROM console.accounts WHERE identity_issuer = %s AND identity_subject = %s

-- account_link --
UPDATE console.accounts SET identity_issuer = %(issuer)s, identity_subject = %(subject)s
WHERE username = %(username)s AND role <> 'screen' AND NOT EXISTS (
    SELECT FROM console.accounts o WHERE o.identity_issuer = %(issuer)s AND o.identity_subject = %(subject)s
        AND o.username <> %(username)s)
RETURNING {account_columns}

-- account_end_other_sessions --
DELETE FROM console.sessions WHERE username = %s AND token_hash IS DISTINCT FROM %s

-- account_audit_lock --
LOCK TABLE console.account_audit IN EXCLUSIVE MODE

-- account_audit_columns --
seq, at, account, action, about, detail, prev_hash, hash

-- account_audit_last --
SELECT {account_audit_columns} FROM console.account_audit ORDER BY seq DESC LIMIT 1

-- account_audited --
SELECT {account_audit_columns} FROM console.account_audit ORDER BY seq

-- account_audit --
INSERT INTO console.account_audit (seq, at, account, action, about, detail, prev_hash, hash)
VALUES (%s, %s, %s, %s, %s, %s::jsonb, %s, %s)

-- account_end_sessions --
DELETE FROM console.sessions WHERE username = %s

-- accounts_all --
SELECT {account_columns} FROM console.accounts ORDER BY username

-- screens_all --
SELECT a.username, a.display_name, a.disabled, max(s.expires_at)
FROM console.accounts a LEFT JOIN console.sessions s USING (username)
WHERE a.role = 'screen'
GROUP BY a.username ORDER BY a.username

-- account_disable --
UPDATE console.accounts SET disabled = true WHERE username = %s RETURNING {account_columns}

-- account_failed --
UPDATE console.accounts SET failed_logins = failed_logins + 1 WHERE username = %s RETURNING failed_logins

-- account_lock --
UPDATE console.accounts SET locked_until = %s WHERE username = %s

-- account_succeeded --
UPDATE console.accounts SET failed_logins = 0, locked_until = NULL WHERE username = %s

-- sessions_expire --
DELETE FROM console.sessions WHERE expires_at <= %s

-- session_open --
-- Only for the password, the second factor and the identity that were verified. The lock on the account lets a change of it, which ends the sessions, come
-- before or after this one, never in between.
INSERT INTO console.sessions (token_hash, username, csrf, created_at, expires_at, last_seen_at, by_provider)
SELECT %s, username, %s, %s, %s, %s, %s FROM console.accounts
WHERE username = %s AND NOT disabled AND password_hash = %s AND second_factor IS NOT DISTINCT FROM %s
    AND identity_issuer IS NOT DISTINCT FROM %s AND identity_subject IS NOT DISTINCT FROM %s
FOR SHARE

-- session_find --
SELECT a.username, a.role, a.department, a.display_name, a.password_hash, a.disabled, a.failed_logins,
    a.locked_until, a.administers, a.one_time_until, a.display_name_en, a.second_factor, a.recovery_codes,
    a.identity_issuer, a.identity_subject, s.csrf, s.expires_at, s.by_provider
FROM console.sessions s JOIN console.accounts a USING (username)
WHERE s.token_hash = %s AND s.expires_at > %s AND NOT a.disabled

-- session_close --
DELETE FROM console.sessions WHERE token_hash = %s

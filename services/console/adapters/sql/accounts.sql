-- Accounts and sessions.

-- account_columns --
username, role, department, display_name, password_hash, disabled, failed_logins, locked_until

-- account_find --
SELECT {account_columns} FROM console.accounts WHERE username = %s

-- account_save --
INSERT INTO console.accounts (username, role, department, display_name, password_hash, created_at)
VALUES (%s, %s, %s, %s, %s, %s)
ON CONFLICT (username) DO UPDATE SET role = excluded.role, department = excluded.department,
    display_name = excluded.display_name, password_hash = excluded.password_hash,
    disabled = false, failed_logins = 0, locked_until = NULL

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
UPDATE console.accounts SET disabled = true WHERE username = %s

-- account_failed --
UPDATE console.accounts SET failed_logins = failed_logins + 1 WHERE username = %s RETURNING failed_logins

-- account_lock --
UPDATE console.accounts SET locked_until = %s WHERE username = %s

-- account_succeeded --
UPDATE console.accounts SET failed_logins = 0, locked_until = NULL WHERE username = %s

-- sessions_expire --
DELETE FROM console.sessions WHERE expires_at <= %s

-- session_open --
INSERT INTO console.sessions (token_hash, username, csrf, created_at, expires_at, last_seen_at)
VALUES (%s, %s, %s, %s, %s, %s)

-- session_find --
SELECT a.username, a.role, a.department, a.display_name, a.password_hash, a.disabled, a.failed_logins,
    a.locked_until, s.csrf, s.expires_at
FROM console.sessions s JOIN console.accounts a USING (username)
WHERE s.token_hash = %s AND s.expires_at > %s AND NOT a.disabled

-- session_close --
DELETE FROM console.sessions WHERE token_hash = %s

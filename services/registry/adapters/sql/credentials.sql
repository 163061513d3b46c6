-- Passwords and certificates of gateways.

-- passwords --
SELECT gateway_id, issued_at, hash FROM registry.passwords WHERE revoked_at IS NULL ORDER BY gateway_id

-- passwords_end --
UPDATE registry.passwords held SET hash = NULL, revoked_at = new.issued_at
FROM unnest(%s::text[], %s::timestamptz[]) AS new (gateway_id, issued_at)
WHERE held.gateway_id = new.gateway_id AND held.revoked_at IS NULL

-- passwords_add --
INSERT INTO registry.passwords (gateway_id, issued_at, hash)
SELECT * FROM unnest(%s::text[], %s::timestamptz[], %s::text[])

-- certificates --
SELECT serial, gateway_id, issued_at, expires_at, revoked_at
FROM registry.certificates
ORDER BY gateway_id, issued_at, serial

-- certificate_add --
INSERT INTO registry.certificates (serial, gateway_id, issued_at, expires_at) VALUES (%s, %s, %s, %s)

-- passwords_revoke --
UPDATE registry.passwords SET hash = NULL, revoked_at = %s WHERE gateway_id = ANY(%s) AND revoked_at IS NULL

-- certificates_revoke --
UPDATE registry.certificates SET revoked_at = %s WHERE gateway_id = ANY(%s) AND revoked_at IS NULL

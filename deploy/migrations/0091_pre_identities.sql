-- Who an account is at an identity provider (OpenID Connect): an administrator links it; an account is never made by a sign-in.
ALTER TABLE console.accounts ADD COLUMN identity_issuer text;
ALTER TABLE console.accounts ADD COLUMN identity_subject text;
ALTER TABLE console.accounts ADD CONSTRAINT accounts_identity_check CHECK ((identity_issuer IS NULL) = (identity_subject IS NULL));
CREATE UNIQUE INDEX accounts_by_identity ON console.accounts (identity_issuer, identity_subject) WHERE identity_subject IS NOT NULL;

-- The provider answers for passwords and second factors of the sessions that it opened.
ALTER TABLE console.sessions ADD COLUMN by_provider boolean NOT NULL DEFAULT false;

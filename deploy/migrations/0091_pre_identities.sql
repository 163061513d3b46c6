-- Who an account is at an identity provider (OpenID Connect): an administrator links it; an account is never made by a sign-in.
ALTER TABLE console.accounts ADD COLUMN identity_issuer text;
ALTER TABLE console.accounts ADD COLUMN identity_subject text;

-- The provider answers for passwords and second factors of the sessions that it opened.
ALTER TABLE console.sessions ADD COLUMN by_provider boolean NOT NULL DEFAULT false;

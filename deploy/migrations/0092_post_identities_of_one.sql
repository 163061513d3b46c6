-- A person at a provider is one account; both halves of the name are there, or neither.
ALTER TABLE console.accounts ADD CONSTRAINT accounts_identity_check CHECK ((identity_issuer IS NULL) = (identity_subject IS NULL));
CREATE UNIQUE INDEX accounts_by_identity ON console.accounts (identity_issuer, identity_subject) WHERE identity_subject IS NOT NULL;

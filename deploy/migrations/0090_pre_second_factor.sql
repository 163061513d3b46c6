-- A second factor for who wants it: a shared secret, sealed with a key that the database does not have.
ALTER TABLE console.accounts ADD COLUMN second_factor text;
ALTER TABLE console.accounts ADD COLUMN second_factor_step bigint NOT NULL DEFAULT 0;      -- of the newest code that was taken: none is taken twice
ALTER TABLE console.accounts ADD COLUMN recovery_codes text[] NOT NULL DEFAULT '{}';       -- sha256 of each that is left

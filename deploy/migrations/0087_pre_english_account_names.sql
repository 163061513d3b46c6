-- How readers of English call an account; '': as everybody does.
ALTER TABLE console.accounts ADD COLUMN display_name_en text NOT NULL DEFAULT '';

-- Whoever makes accounts must be nobody who approves: that is the brigade.
ALTER TABLE console.accounts ADD CONSTRAINT accounts_administers_check CHECK (NOT administers OR role = 'centre');

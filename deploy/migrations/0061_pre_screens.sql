-- Screens: accounts of displays on a wall, without a password.
ALTER TABLE console.accounts DROP CONSTRAINT accounts_role_check;
ALTER TABLE console.accounts ADD CONSTRAINT accounts_role_check
    CHECK (role IN ('brigade', 'centre', 'department', 'screen'));

-- What holds of notices and digests once no version from before digests writes any more.
ALTER TABLE alerts.notices
    ADD CONSTRAINT notices_group_state_check CHECK (group_state IN ('waits', 'alone', 'digest')),
    ADD CONSTRAINT notices_digest_id_fkey FOREIGN KEY (digest_id) REFERENCES alerts.digests;

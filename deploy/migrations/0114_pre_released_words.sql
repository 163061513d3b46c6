-- New words that the version before refuses: compliance publishes one when it stands here. `post` migrations write them, that
-- is, when nothing of the version before runs any more.
CREATE TABLE compliance.released_words (
    word text PRIMARY KEY
);

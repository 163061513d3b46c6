-- From now on every reader of firenet.findings.v1 knows findings of this kind.
INSERT INTO compliance.released_words (word) VALUES ('not_competent');

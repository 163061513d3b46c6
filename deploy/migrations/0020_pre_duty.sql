-- Duty is an aspect beside the connection: the connection is stored as the links are, whatever the duty. Rows of before
-- stay as they are: there a connection of `commissioning`, `exempt` or `retired` stands for the duty (ADR 29).
ALTER TABLE rules.transitions
    DROP CONSTRAINT transitions_aspect_check,
    ADD CONSTRAINT transitions_aspect_check CHECK (aspect IN ('connection', 'duty', 'health'));

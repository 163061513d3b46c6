-- Contacts are asked for by whom they speak for, when somebody is to be called.
CREATE INDEX contacts_of_body ON registry.versions ((body ->> 'body_code')) WHERE kind = 'contact';

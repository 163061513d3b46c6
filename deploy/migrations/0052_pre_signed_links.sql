-- The document whose signed link this notice carries; null: it leads to the case.
ALTER TABLE alerts.notices ADD COLUMN document_id text;

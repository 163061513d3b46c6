-- The reply that a file was taken over from as evidence; '' of one that was handed in at the listing itself.
ALTER TABLE alerts.listing_files ADD COLUMN source text NOT NULL DEFAULT '';

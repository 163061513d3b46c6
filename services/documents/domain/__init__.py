"""What a document is, what its number is, and which documents there are."""

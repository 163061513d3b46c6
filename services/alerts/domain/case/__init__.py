"""What a case is, what opens, changes and ends it."""

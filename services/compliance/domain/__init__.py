"""Pure: facts, registry and packs in, figures out; instants are microseconds since 1970, UTC, days whole numbers."""

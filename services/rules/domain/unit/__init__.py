"""One unit: what the registry says of it, its connection, its condition, and what it said lately."""

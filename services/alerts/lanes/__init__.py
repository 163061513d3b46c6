"""The wiring of the two lanes: they share a process at most, and what `parts` holds; neither waits for the other."""

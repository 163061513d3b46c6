"""Who is told, and where."""

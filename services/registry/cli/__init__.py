"""Command lines that have words of their own."""

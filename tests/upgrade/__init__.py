"""This version and the one before it, side by side on the same topics and tables, forwards and back."""

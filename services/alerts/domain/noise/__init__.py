"""What keeps many cases of one cause from becoming many notices."""

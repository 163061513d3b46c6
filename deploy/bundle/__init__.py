"""What a machine without internet needs, in one file."""

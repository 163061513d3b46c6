"""What alerts does, against its ports only."""

"""What happened, in a chain that no entry can be taken out of."""

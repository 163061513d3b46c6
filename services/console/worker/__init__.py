"""The moving parts: the shared live picture, shared reads, and the doors. They talk to ports only."""

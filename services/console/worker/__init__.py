"""The moving parts: the shared live snapshot, shared reads, and who may sign in. They talk to ports only."""

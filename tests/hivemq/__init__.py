"""HiveMQ CE as a part for tests, where `make test-brokers` has built it."""

"""Memory and real parts under the same suites."""

"""The HTTP side: pages, JSON API, live stream, and what protects them."""

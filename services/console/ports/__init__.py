"""What the pages and workers of the console need from outside, by what it is about."""

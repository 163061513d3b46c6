"""Files and streams in, one line of JSON out."""

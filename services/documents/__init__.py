"""What is wanted said becomes a document: numbered, rendered, kept and issued."""

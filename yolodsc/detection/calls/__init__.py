"""One call of a detector: its images of every kind, and its options."""

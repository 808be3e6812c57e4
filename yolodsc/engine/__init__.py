"""The fast executor."""

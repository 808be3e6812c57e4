"""Ground truth that a network contradicts: missing, misplaced, mislabelled and unsupported labels."""

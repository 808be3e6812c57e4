"""Optimizer, learning-rate schedule, weight averaging and checkpoints."""

"""Quantization-aware training: weights and tensors are rounded in the forward pass, and their scales are learned."""

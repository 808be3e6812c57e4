"""8-bit levels of tensors and weights: scales by least squared error, and rounding on the moments of patches."""

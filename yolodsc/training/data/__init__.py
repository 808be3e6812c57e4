"""Training data: labels, augmentation and the image cache."""

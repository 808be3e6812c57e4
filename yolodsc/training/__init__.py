"""Training: gradients of a network, losses, optimizers, schedules, augmentation."""

"""Training: a model with gradients, losses, data, optimizer, and fine-tuning of a student network."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

"""Evaluation: datasets, inference over a dataset, average precision by nine rules, error analysis and reports."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

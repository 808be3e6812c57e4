"""Classifiers: networks that end in class probabilities."""

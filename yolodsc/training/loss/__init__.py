"""Losses of detection heads, with their gradients by hand.

All of them are taken of raw logits (what the head reads) and are means, so that a learning rate means the same at any batch:
those of labels over the images, of a teacher's heads over the objects that it sees, of maps as a share of their variance.
"""

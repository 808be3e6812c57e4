"""Losses of detection heads, with their gradients by hand.

All of them are taken of raw logits (what the head reads), summed over the cells of a picture and divided by the pictures of the
batch, so that a learning rate means the same at any batch.
"""

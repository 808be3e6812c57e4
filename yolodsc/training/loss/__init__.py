"""Losses of detection heads and feature maps, with their gradients.

All losses take raw logits (the input of the head) and are means, so a learning rate has the same effect at any batch size. Losses
of labels are means over the images, those of a teacher's heads over the objects that the teacher finds, and those of feature maps
are relative to the variance of the teacher's feature map.
"""

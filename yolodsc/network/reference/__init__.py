"""The arithmetic of Darknet in plain NumPy: slow, simple, and the reference for all faster implementations."""

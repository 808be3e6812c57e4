"""The arithmetic of Darknet in plain NumPy: obviously right, slow, and the oracle of everything fast."""

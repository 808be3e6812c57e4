"""Statistics of a network on calibration images."""

"""Tracking: numbers of objects through a video, their trails, and counts."""

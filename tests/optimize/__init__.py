"""Tests of the search of fast networks."""

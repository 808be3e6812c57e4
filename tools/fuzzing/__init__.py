"""Fuzzers for everything that reads files, and for the engine."""

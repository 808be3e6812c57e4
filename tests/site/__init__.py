"""Tests of the documentation site and of the examples on its pages."""

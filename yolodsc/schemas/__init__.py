"""Schemas of the files that yolodsc reads: one model per format, applied before anything else sees a value.

A model states types, lengths and ranges; functions beside it check what one field says about another (indices, equal lengths,
unique ids). Every fault is one line: file, path within the document, what was found, what was expected.
"""

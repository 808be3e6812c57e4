"""`yolodsc.network.network`: questions about a whole network."""

BRANCHES = """
[net]
height=8
width=8
channels=3
[convolutional]
filters=4
size=1
[convolutional]
filters=4
size=1
[route]
layers=0
[shortcut]
from=0
"""

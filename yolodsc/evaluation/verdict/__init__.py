"""What an evaluation says in a few numbers: totals, which classes are confused, and whether scores mean what they say."""

"""Machine code from one process to the next: compiled once, kept in the user's cache, loaded without a compiler."""

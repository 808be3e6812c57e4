"""Result writers, one file per format."""

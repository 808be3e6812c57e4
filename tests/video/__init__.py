"""Videos, cameras, streams and tracking."""

"""Videos, cameras and streams: frames in, detections, annotated videos and windows out."""

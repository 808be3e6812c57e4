"""Drop-in replacement of ``cv2.dnn`` for Darknet networks."""

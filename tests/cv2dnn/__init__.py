"""The drop-in for ``cv2.dnn`` against OpenCV 4 itself."""

"""What detections become: single objects, text, tables, and notebook output."""

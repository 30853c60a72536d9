"""Possible links between detections of consecutive frames."""

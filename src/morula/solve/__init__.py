"""The optimiser: which detections and links form the cheapest forest."""

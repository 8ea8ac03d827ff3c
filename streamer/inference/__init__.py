"""From the cameras' newest frames to detections: a fair batcher, and the worker that owns the models."""

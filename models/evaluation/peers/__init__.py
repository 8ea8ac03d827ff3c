"""Published detectors of others, measured on the same pictures. Their files are the user's."""

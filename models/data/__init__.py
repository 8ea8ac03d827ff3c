"""Data sets read, and data made: what training and the demo clip share."""

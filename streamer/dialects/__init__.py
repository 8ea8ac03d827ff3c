"""The languages that others speak: alerts and states in the words of Home Assistant, ONVIF, DeepStream and the web."""

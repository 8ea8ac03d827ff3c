"""The status page, the JSON behind it, health and metrics. It reads a ``StatusSource`` and changes
nothing.
"""

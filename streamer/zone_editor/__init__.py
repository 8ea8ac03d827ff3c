"""Zones and rules changed from the dashboard: tried on the last minute, written to the site's file, brought back."""

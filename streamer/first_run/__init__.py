"""From nothing to a SITE.yaml: what ``ppewatch init`` asks, tries and writes."""

"""How long people wore what a rule requires, quarter of an hour by quarter of an hour, for charts and reports."""

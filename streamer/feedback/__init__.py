"""What people say of alerts, and what follows: acknowledgements, hard examples, suppression areas (ADR 0088)."""

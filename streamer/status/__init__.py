"""How the daemon says how it is: one board that everybody reads, and the announcer that publishes it."""

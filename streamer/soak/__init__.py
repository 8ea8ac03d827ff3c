"""Hours under faults: a daemon on recordings, what its outbox holds, and what a subscriber received of it."""

"""The names of everything that a site stores."""

import re

#: Everything that a site may store. What is added here needs a word in docs/privacy.md.
FILES = re.compile(
    r"outbox\.(sqlite3(-wal|-shm)?|lock|reserved|last)|compliance\.sqlite3(-wal|-shm)?"
    r"|(snapshots|examples)/\d{4}-\d\d-\d\d/[A-Za-z0-9_-]+(\.\d+)?\.jpg"
)

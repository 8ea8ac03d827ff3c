#!/bin/sh
# Prints the first interpreter of a supported version (3.11 to 3.13) that can make a virtual environment.
for candidate in python3 python3.13 python3.12 python3.11; do
    "$candidate" - 2>/dev/null <<'PY' || continue
import sys
import ensurepip, venv  # Debian splits them into python3-venv
sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
PY
    command -v "$candidate"
    exit 0
done
echo "no Python 3.11 to 3.13 with the venv module found (Debian: apt-get install python3-venv)" >&2
exit 1

"""Lets the tests of the policy use the simulation that the benchmark prints."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

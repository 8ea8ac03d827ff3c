"""Benchmarks of the product's own parts, each beside the floor that is measured in the same run."""

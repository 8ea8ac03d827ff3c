"""A site or a cluster in simulated time: frames, batches, verdicts, failures; batches by the daemon's own policy."""

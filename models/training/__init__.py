"""Training code: what the models learn from, how, and where a run stands. Not needed to run the product."""

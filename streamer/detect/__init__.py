"""Looking at pictures and recordings once, without rules: what ``ppewatch detect`` does."""

"""Numbers and their bounds: what an implementation declares of its arithmetic, and what follows. Knows NumPy only."""

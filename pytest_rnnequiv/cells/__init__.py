"""The cells: what one time step computes. One file for each."""

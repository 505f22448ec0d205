"""What is run: architectures, cases with numbers in them, the recurrence itself, and what is seen of a run."""

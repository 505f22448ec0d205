"""The mistakes that people make, and which of them explains a failure."""

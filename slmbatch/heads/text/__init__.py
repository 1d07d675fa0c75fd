"""Labels for texts: a fitted classifier, or label names alone."""

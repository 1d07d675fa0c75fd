"""Fields by rules: candidates, their places beside labels, the sums they make, and weights for all of it."""

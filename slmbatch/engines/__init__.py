"""What answers requests: one HTTP client, and launchers that start, watch and stop local servers."""

"""The run: one row's life, the loop that lets many rows live at once, and what is planned before the first."""

"""Typed values from a model's text, where they stand in the document, and whether they agree with each other."""

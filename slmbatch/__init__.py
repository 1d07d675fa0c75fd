"""Classify and extract with the smallest model that can be trusted."""

__version__ = "0.1.0"

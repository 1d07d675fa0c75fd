"""Tier 0: answers without a language model, computed in this process. Text classifiers, and rules for fields."""

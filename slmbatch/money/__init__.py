"""Prices and what a request costs. Decimal throughout; a float never touches money."""

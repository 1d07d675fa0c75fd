"""The output folder: manifest, journal, parts, and the tables derived from them."""

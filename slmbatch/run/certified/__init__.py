"""A run that ends in a certificate: answer cheaply, ask the top tier about a sample, draw the line, settle the rest."""

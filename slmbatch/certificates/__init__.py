"""Quality certificates: how many labels a promise needs, where the line lies, and whether a certificate is true."""

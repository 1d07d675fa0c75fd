"""`slmbatch calibrate`: what a tier's scores mean, learned from answers that are known."""

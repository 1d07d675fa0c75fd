"""What a run did, in figures: for people and for machines."""

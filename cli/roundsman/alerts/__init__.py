"""What is wrong, since when, and who is to be told: pure decisions, without clock, store or network."""

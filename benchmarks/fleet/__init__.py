"""Real worker processes whose handlers are witnesses: what they did is in a file that no crash of theirs or of the database takes back."""

"""How numbers and moments look in a terminal: pure functions from values to text, used by every command and by the demo."""

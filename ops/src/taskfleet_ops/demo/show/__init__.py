"""What the demo shows: a live view on a terminal, plain lines elsewhere, and a report at the end. Nothing here decides or acts."""

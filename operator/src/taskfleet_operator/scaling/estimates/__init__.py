"""What the law believes: service times, arrival rates, start-up time. Each file learns one thing from one observation."""

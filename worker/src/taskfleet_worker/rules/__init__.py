"""What a worker decides: pure values and small state machines. Time is an argument; no I/O, no asyncio, no logging."""

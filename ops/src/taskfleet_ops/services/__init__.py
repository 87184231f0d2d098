"""Every operation of taskfleet, once: the command line (and whatever else people use) is a thin shell over these functions.

What may live here: opening the database, asking the queue's stores, limits, checks and errors that name the way out. What may not:
text for a terminal, options, exit codes. Values in, values out.
"""

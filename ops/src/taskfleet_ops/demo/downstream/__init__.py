"""The downstream stand-in: a process of its own that answers HTTP on the loopback, and the client that the demo's handlers use.

Its server knows nothing of the queue, its client nothing of the server's insides: they share the protocol, as with a real service.
"""

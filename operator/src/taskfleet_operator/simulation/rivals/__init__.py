"""Other people's scaling laws, to compare with: written from their documentation and from reading their source, none of it copied.

What may live here: one controller a file, each with the way to write it as its own documentation would. None of them may know more than the
real one is told: a length of the queue, its own replicas, and for the rate law what ran.
"""

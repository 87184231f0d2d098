"""The demo: one command that shows the whole product at work on one machine, and checks what it promises.

What may live here: the stage (folder, server, processes), the work (tasks, handlers, the downstream stand-in), the view of it,
and the verdict. What may not: a second way to do what the product does. Everything between enqueue and outcome is the product's own
queue, worker and operator, run as anybody would run them.
"""

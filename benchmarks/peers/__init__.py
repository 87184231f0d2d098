"""The programs that the benchmarks compare: one a queue, all with the same commands, in whatever language the queue is used from.

A program reads DATABASE_URL, BENCH_TASKS, BENCH_TUNED (1: as its maintainers advise, 0: as it comes) and BENCH_REPORT, and does one of:

    install   make the schema
    bulk      enqueue BENCH_TASKS tasks in the documented bulk way; prints {"seconds": …}
    single    enqueue BENCH_TASKS tasks one after the other over one connection; prints {"seconds": …}
    lone      enqueue BENCH_TASKS tasks with pauses between them; each payload says when it was sent
    work      run a worker until SIGTERM, then write to BENCH_REPORT what its handler saw (see `tally`)

Each folder holds the lock of the packages it needs. Nothing here is imported by the product, and nothing but `tally` by anything here.
"""

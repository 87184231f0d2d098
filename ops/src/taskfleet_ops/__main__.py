"""`python -m taskfleet_ops` is `taskfleet`."""

from taskfleet_ops.cli import main

if __name__ == "__main__":
    main()

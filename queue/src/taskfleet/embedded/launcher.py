"""Runs as a script between us and a server program: becomes an unprivileged user, binds its life to ours, turns into the program.

    python -I -S launcher.py PARENT_PID UID GID SIGNAL PROGRAM [ARGUMENT…]

Standard library only: it must start in milliseconds, and without the environment of the package. UID -1 keeps the user; SIGNAL 0 lets
the program outlive its parent. A program of its own, not a `preexec_fn`: that is unsafe in a process with threads.
"""

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> None:
    """Become the program; returns only by an exception or by exiting."""
    parent, user, group, signal_number = (int(argument) for argument in arguments[:4])
    if user >= 0:
        os.setgroups([])
        os.setgid(group)
        os.setuid(user)
    if signal_number and sys.platform == "linux":
        # After setuid: the kernel forgets the signal when the credentials change.
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal_number, 0, 0, 0)
        if os.getppid() != parent:
            sys.exit("the process that wanted this server has ended")
    os.umask(0o077)
    os.execv(arguments[4], arguments[4:])  # noqa: S606 - no shell is the point


if __name__ == "__main__":
    main(sys.argv[1:])

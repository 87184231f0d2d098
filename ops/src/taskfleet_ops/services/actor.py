"""Who acts: what audit entries of commands say."""

import getpass


def command_actor() -> str:
    """The user of this machine who runs the command; `unknown` where the machine has no name for it."""
    try:
        return f"cli:{getpass.getuser()}"
    except (KeyError, OSError):
        return "cli:unknown"

"""
Become a server that dies with the process that started it: `child.py SIGNAL PARENT USER COMMAND …`.

It runs by itself, without the project on the path: as `preexec_fn` its steps would fork a process that has threads. The
parent's number is compared after the signal is asked for, because a parent that died before never sends one. Changing
the user takes the request back, so that comes first.
"""

import ctypes
import os
import pwd
import sys

PR_SET_PDEATHSIG = 1


def main(death: int, parent: int, user: str, command: list[str]) -> None:
    """Change to the user (unless it is `-`), ask for the signal, and run the command in this process."""
    if user != "-":
        account = pwd.getpwnam(user)
        os.setgroups([])
        os.setgid(account.pw_gid)
        os.setuid(account.pw_uid)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, death)
    if os.getppid() == parent:
        os.execv(command[0], command)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4:])

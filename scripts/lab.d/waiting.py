"""How scripts that check something wait for it."""

import socket
import time


class Unmet(Exception):
    """Something that a check promises does not hold."""


def until(what, condition, seconds=30.0, interval=0.05):
    """Returns the first true value of a condition; what it raises counts as not yet."""
    deadline, last = time.monotonic() + seconds, None
    while True:
        try:
            if value := condition():
                return value
            last = None
        except Unmet as e:
            last = e
        if time.monotonic() > deadline:
            raise Unmet(f"{what} within {seconds:.0f} s" + (f": {last}" if last else ""))
        time.sleep(interval)


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]

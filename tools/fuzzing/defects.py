"""A target that fails on demand: the test of the fuzzer itself."""

import os
import signal
import time

from tools.fuzzing.target import Target
from yolodsc.errors import YolodscError


class _TwoLinesError(YolodscError):
    def __str__(self) -> str:
        return "two\nlines"


def fail(data: bytes) -> None:
    """Fail as the data request."""
    if data == b"crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    elif data == b"hang":
        time.sleep(60)
    elif data == b"memory":
        bytes(1 << 40)
    elif data == b"lines":
        raise _TwoLinesError
    elif data.startswith(b"raise"):
        raise KeyError(data)
    elif data == b"refuse":
        raise YolodscError("one line")


TARGETS = (Target(name="defects", one=fail),)

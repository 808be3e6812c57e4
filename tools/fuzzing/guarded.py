"""One case: run, timed from outside, its uncaught exception kept."""

import hashlib
import sys
import traceback
from pathlib import Path

from tools.fuzzing.record import MAX_BYTES, Record
from tools.fuzzing.target import Target
from yolodsc.errors import YolodscError


class Guarded:
    """A target that may be called with anything: a new kind of exception is written to a folder, then forgotten."""

    def __init__(self, target: Target, record: Record, out: Path) -> None:
        self._target, self._record, self._out = target, record, out
        self._kinds: set[str] = set()

    def __call__(self, data: bytes) -> bool:
        """Whether the case ended as it should."""
        data = data[:MAX_BYTES]
        self._record.begin(data)
        try:
            self._target.one(data)
        except YolodscError as error:
            if len(str(error).splitlines()) > 1:
                return self._keep("many-lines", data, error)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # whatever a reader lets pass is what is looked for
            return self._keep(_kind(error), data, error)
        finally:
            self._record.end()
        return True

    def _keep(self, kind: str, data: bytes, error: BaseException) -> bool:
        if kind not in self._kinds:
            self._kinds.add(kind)
            digest = hashlib.sha256(kind.encode()).hexdigest()[:8]
            (self._out / f"{self._target.name}-uncaught-{digest}").write_bytes(data)
            text = "".join(traceback.format_exception(error))
            print(f"--- {self._target.name}-uncaught-{digest}\n{text}", file=sys.stderr, flush=True)
        return False


def _kind(error: BaseException) -> str:
    """Class of the exception and the innermost line of yolodsc that it passed: two with the same are taken for one defect."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if "yolodsc" in frame.filename] or list(frames)
    at = f"{own[-1].filename}:{own[-1].lineno}" if own else ""
    return f"{type(error).__name__} {at}"

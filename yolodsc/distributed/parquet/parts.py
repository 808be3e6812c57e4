"""Parquet files of a run: one for each chunk, whole or absent, and a record of what the run depends on.

A row is an image: its path, size, error, and lists with one entry for each detection. Numbers are stored as they are, so that the
other outputs of a resumed run are the same to the byte.
"""

import io
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from yolodsc.errors import ImageError, MissingExtraError, OptionError
from yolodsc.files import exists, folder, read_bytes, text_of, write_bytes
from yolodsc.schemas import dump_json, parse_json
from yolodsc.values import Value

if TYPE_CHECKING:
    from yolodsc.detection import ImageResult
    from yolodsc.distributed.chunks import Chunk

RUN_FILE = "_run.json"
"""What the run depends on; readers of Parquet directories skip names that begin with an underscore."""

MAX_BYTES = 2**31
"""Maximum size of a file."""

_NAME = re.compile(r"part-([0-9]{9,})\.parquet")

_LISTS = ("class_id", "class", "score", "objectness", "xmin", "ymin", "xmax", "ymax")


class PartFolder(Value):
    """A directory of Parquet files that all machines of a run share.

    Attributes
    ----------
    folder
        The directory.
    names
        Names of the classes.
    """

    folder: str
    names: tuple[str, ...]

    def begin(self, settings: Mapping[str, Any], *, resume: bool) -> frozenset[int]:
        """Create the directory, or continue the run in it; return the numbers of the chunks that it holds.

        Raises
        ------
        OptionError
            The directory holds a run and ``resume`` is false, or a run with other settings.
        MissingExtraError
            pyarrow is not installed.
        """
        ensure_pyarrow()
        record = folder(self.folder, error=OptionError) / RUN_FILE
        done = frozenset(self._numbers())
        if not exists(record):
            if done:
                raise OptionError(f"{self.folder}: has Parquet files and no {RUN_FILE}; expected an empty directory")
            write_bytes(record, dump_json(settings, file=record, error=OptionError).encode(), error=OptionError)
            return done
        if not resume:
            raise OptionError(
                f"{record}: exists; expected resume=True to continue this run, or another directory", parameter="resume"
            )
        _ensure_equal(record, settings)
        return done

    def ensure_shared(self, worker: str) -> None:
        """Raise an `OptionError` if a worker does not see the directory of the client."""
        if not exists(Path(self.folder) / RUN_FILE):
            raise OptionError(f"worker {worker}: no {self.folder}/{RUN_FILE}; expected a directory that all machines share")

    def write(self, chunk: "Chunk", results: "Sequence[ImageResult]") -> None:
        """Write the file of a chunk; it appears when it is complete. An `OptionError` if it cannot be written."""
        import pyarrow
        from pyarrow import parquet

        columns = _columns(results)
        arrays = [pyarrow.array(columns[name], kind) for name, kind in _schema()]
        table = pyarrow.table(arrays, schema=pyarrow.schema(_schema()))
        buffer = io.BytesIO()
        parquet.write_table(table, buffer, compression="zstd")
        write_bytes(self._path(chunk.number), buffer.getvalue(), error=OptionError)

    def read(self, chunk: "Chunk") -> "Iterator[ImageResult]":
        """Yield the results of a chunk, without images and candidates; an `OptionError` if the file is another chunk's."""
        import pyarrow
        from pyarrow import ArrowException, parquet

        path = self._path(chunk.number)
        try:
            content = read_bytes(path, max_bytes=MAX_BYTES, error=OptionError)
            table = parquet.read_table(io.BytesIO(content)).cast(pyarrow.schema(_schema()))
            columns = {name: table.column(name) for name, _ in _schema()}
            lists = {name: _rows(columns[name]) for name in _LISTS if name != "class"}
            _ensure_consistent(lists, classes=len(self.names))
        except (ArrowException, KeyError, ValueError, OSError) as error:
            reason = " ".join(str(error).split())[:160]
            raise OptionError(f"{path}: cannot be read ({reason}); delete it to process its images again") from None
        found = columns["path"].to_pylist()
        if tuple(found) != tuple(map(_stored, chunk.paths)):
            n = next((n for n, (a, b) in enumerate(zip(found, chunk.paths, strict=False)) if a != _stored(b)), 0)
            shown = found[n] if n < len(found) else "nothing"
            raise OptionError(
                f"{path}: has {shown} where this run has {chunk.paths[n]}; expected the same images in the same order"
            )
        return self._results(chunk.paths, columns, lists)

    def _results(self, paths: Sequence[str], columns: Mapping[str, Any], lists: Mapping[str, list[Any]]) -> "Iterator[ImageResult]":
        from yolodsc.detection import Detections, ImageResult

        sizes = list(zip(columns["width"].to_pylist(), columns["height"].to_pylist(), strict=True))
        errors = columns["error"].to_pylist()
        for n, path in enumerate(paths):
            if errors[n] is not None:
                yield ImageResult(path, error=ImageError(errors[n]))
                continue
            boxes = np.stack([lists[side][n] for side in _LISTS[4:]], axis=1)  # (N, 4)
            ids = lists["class_id"][n].astype(np.int64)
            yield ImageResult(path, Detections(boxes, lists["score"][n], lists["objectness"][n], ids, self.names, *sizes[n], path))

    def _path(self, number: int) -> Path:
        return Path(self.folder) / f"part-{number:09d}.parquet"

    def _numbers(self) -> Iterator[int]:
        return (int(found[1]) for path in Path(self.folder).iterdir() if (found := _NAME.fullmatch(path.name)))


def ensure_pyarrow() -> None:
    """Raise a `MissingExtraError` if pyarrow is not installed."""
    try:
        import pyarrow  # noqa: F401
    except ImportError:
        raise MissingExtraError("parquet", needed_for="a directory of Parquet files") from None


def _ensure_equal(record: Path, settings: Mapping[str, Any]) -> None:
    """Raise an `OptionError` if an earlier run had other settings."""
    earlier = parse_json(text_of(record, error=OptionError), file=str(record), error=OptionError)
    if not isinstance(earlier, dict):
        raise OptionError(f"{record}: no record of a run; expected another directory")
    for key, expected in settings.items():
        if earlier.get(key) != expected:
            was, now = (dump_json(value, file=record, error=OptionError)[:40] for value in (earlier.get(key), expected))
            raise OptionError(
                f"{record}: a run with other settings, {key}: {was}, now {now}; expected the same, or another directory"
            )


def _schema() -> list[tuple[str, Any]]:
    import pyarrow

    kinds = {"class_id": pyarrow.int32(), "class": pyarrow.string()}
    columns = [("path", pyarrow.string()), ("width", pyarrow.int32()), ("height", pyarrow.int32()), ("error", pyarrow.string())]
    return [*columns, *((name, pyarrow.list_(kinds.get(name, pyarrow.float32()))) for name in _LISTS)]


def _columns(results: "Sequence[ImageResult]") -> dict[str, list[Any]]:
    """The cells by column; lists and sizes of images that failed are null."""
    columns: dict[str, list[Any]] = {name: [] for name, _ in _schema()}
    for result in results:
        found = result.detections
        row: dict[str, Any] = {"path": _stored(result.path), "error": None if found is not None else str(result.error)}
        if found is not None:
            sides = dict(zip(_LISTS[4:], found.boxes_xyxy.T, strict=True))
            names = [_stored(name) for name in found.class_names()]
            row |= {"width": found.width, "height": found.height, "class_id": found.class_ids, "class": names}
            row |= {"score": found.scores, "objectness": found.objectness, **sides}
        for name, cells in columns.items():
            cells.append(row.get(name))
    return columns


def _stored(text: str) -> str:
    """Text as Parquet holds it: UTF-8, with escapes for the bytes of file names that are not."""
    return text.encode("utf-8", "backslashreplace").decode()


def _rows(column: Any) -> list[Any]:
    """The lists of a column as arrays; null lists are empty."""
    array = column.combine_chunks()
    values, offsets = array.values.to_numpy(zero_copy_only=False), array.offsets.to_numpy()
    return [values[start:end] for start, end in pairwise(offsets)]


def _ensure_consistent(lists: Mapping[str, list[Any]], *, classes: int) -> None:
    """Raise a `ValueError` unless all lists of an image are equally long and all classes have names."""
    for n, rows in enumerate(zip(*lists.values(), strict=True)):
        if len({len(row) for row in rows}) != 1:
            raise ValueError(f"row {n}: lists of different lengths")
    for n, ids in enumerate(lists["class_id"]):
        if not np.issubdtype(ids.dtype, np.integer) or (len(ids) and not 0 <= ids.min() <= ids.max() < classes):
            raise ValueError(f"row {n}: a class outside 0 to {classes - 1}")

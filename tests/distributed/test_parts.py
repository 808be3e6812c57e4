"""Parquet files of a run, and runs that resume from them, on one machine."""

from pathlib import Path

import pytest

from tests.cli.support import NETWORK, STEM
from tests.distributed.support import write_images
from tests.distributed.test_wire import ensure_equal
from yolodsc.cli import run
from yolodsc.detection import Detector
from yolodsc.distributed import Chunk, PartFolder, chunked
from yolodsc.errors import OptionError

pytest.importorskip("pyarrow")


@pytest.fixture(scope="module")
def detector() -> Detector:
    """The small network."""
    return Detector.from_files(f"{STEM}.cfg", f"{STEM}.weights", thresh=0.05, streams=1)


def chunk_of(paths: list[str]) -> Chunk:
    """All paths as one chunk."""
    return next(chunked(paths, len(paths)))


def test_a_file_gives_its_results_back(detector: Detector, tmp_path: Path) -> None:
    """All bits, errors, and names of files that are not UTF-8."""
    odd = tmp_path / "caf\udce9.png"
    paths = [*write_images(tmp_path, 3), str(odd), str(tmp_path / "missing.png")]
    odd.write_bytes(Path(paths[0]).read_bytes())
    folder = PartFolder(str(tmp_path / "parts"), detector.names)
    expected = list(detector.many(paths))

    assert folder.begin({}, resume=False) == frozenset()
    folder.write(chunk_of(paths), expected)

    assert folder.begin({}, resume=True) == {0}
    for one, other in zip(folder.read(chunk_of(paths)), expected, strict=True):
        if other.detections is None:
            assert str(one.error) == str(other.error)
        else:
            assert one.detections is not None
            assert one.detections.to_dict() == other.detections.to_dict()
            assert one.detections.boxes_xyxy.tobytes() == other.detections.boxes_xyxy.tobytes()


def test_other_libraries_read_the_directory(detector: Detector, tmp_path: Path) -> None:
    """One row an image, lists of detections; the record of the run is skipped."""
    from pyarrow import parquet

    paths = write_images(tmp_path / "images", 4)
    folder = PartFolder(str(tmp_path / "parts"), detector.names)
    folder.begin({"chunk": 2}, resume=False)
    for chunk in chunked(paths, 2):
        folder.write(chunk, list(detector.many(chunk.paths)))

    table = parquet.read_table(folder.folder)

    assert table.column("path").to_pylist() == paths
    scores = [found.scores.tolist() for result in detector.many(paths) if (found := result.detections) is not None]
    assert table.column("score").to_pylist() == scores


def test_a_file_of_other_images_is_refused(detector: Detector, tmp_path: Path) -> None:
    """A list that has changed must not give results of other images."""
    paths = write_images(tmp_path, 3)
    folder = PartFolder(str(tmp_path / "parts"), detector.names)
    folder.begin({}, resume=False)
    folder.write(chunk_of(paths), list(detector.many(paths)))

    with pytest.raises(OptionError, match=r"has .*image000.png where this run has .*image001.png; expected the same images"):
        list(folder.read(chunk_of([paths[1], paths[0], paths[2]])))
    with pytest.raises(OptionError, match="expected the same images"):
        list(folder.read(chunk_of(paths[:2])))


def damaged(path: Path) -> None:
    """Cut a file in the middle."""
    path.write_bytes(path.read_bytes()[:-100])


def other_columns(path: Path) -> None:
    """A Parquet file of something else."""
    import pyarrow
    from pyarrow import parquet

    parquet.write_table(pyarrow.table({"x": [1, 2, 3]}), path)


def class_out_of_range(path: Path) -> None:
    """A class without a name."""
    import pyarrow
    from pyarrow import parquet

    table = parquet.read_table(path)
    ids = pyarrow.array([[9999] * len(row) for row in table.column("class_id").to_pylist()], pyarrow.list_(pyarrow.int32()))
    parquet.write_table(table.set_column(table.schema.get_field_index("class_id"), "class_id", ids), path)


def lists_too_short(path: Path) -> None:
    """Scores are missing."""
    import pyarrow
    from pyarrow import parquet

    table = parquet.read_table(path)
    scores = pyarrow.array([row[1:] for row in table.column("score").to_pylist()], pyarrow.list_(pyarrow.float32()))
    parquet.write_table(table.set_column(table.schema.get_field_index("score"), "score", scores), path)


@pytest.mark.parametrize("harm", [damaged, other_columns, class_out_of_range, lists_too_short])
def test_a_damaged_file_gives_one_line(harm: object, detector: Detector, tmp_path: Path) -> None:
    """The line names the file and what to do."""
    paths = write_images(tmp_path, 3)
    folder = PartFolder(str(tmp_path / "parts"), detector.names)
    folder.begin({}, resume=False)
    folder.write(chunk_of(paths), list(detector.many(paths)))
    (path,) = (tmp_path / "parts").glob("*.parquet")

    harm(path)  # type: ignore[operator]

    with pytest.raises(OptionError, match=r"part-000000000.parquet: cannot be read \(.*\); delete it"):
        list(folder.read(chunk_of(paths)))


def test_a_resumed_run_writes_the_same_bytes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """JSON and CSV of a run whose parts are partly there equal those of one run; what is there is not processed again."""
    paths = [*write_images(tmp_path / "images", 9), str(tmp_path / "missing.png")]
    listed = tmp_path / "list.txt"
    listed.write_text("\n".join(paths))
    common = [str(listed), *NETWORK, "--thresh", "0.1", "--quiet"]
    folder = tmp_path / "parts"

    assert run(["detect", *common, "--json", str(tmp_path / "a.json"), "--csv", str(tmp_path / "a.csv")]) == 1
    assert run(["detect", *common, "--parquet", str(folder), "--chunk", "2", "--save", str(tmp_path / "drawn")]) == 1
    drawn = {path.name: path.read_bytes() for path in (tmp_path / "drawn").iterdir()}
    for number in (1, 4):
        (folder / f"part-00000000{number}.parquet").unlink()
    before = {path.name: path.stat().st_mtime_ns for path in folder.glob("part-*")}
    outputs = ["--json", str(tmp_path / "b.json"), "--csv", str(tmp_path / "b.csv"), "--save", str(tmp_path / "again")]
    assert run(["detect", *common, "--parquet", str(folder), "--chunk", "2", "--resume", *outputs]) == 1

    for ending in ("json", "csv"):
        assert (tmp_path / f"a.{ending}").read_bytes() == (tmp_path / f"b.{ending}").read_bytes()
    assert {path.name: path.read_bytes() for path in (tmp_path / "again").iterdir()} == drawn
    assert len(drawn) == 9
    after = {path.name: path.stat().st_mtime_ns for path in folder.glob("part-*")}
    assert len(after) == 5
    assert before.items() <= after.items()
    assert capsys.readouterr().err.count("missing.png: no such file") == 3


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ([], "_run.json: exists; expected --resume to continue this run"),
        (["--resume", "--chunk", "3"], "a run with other settings, chunk: 2, now 3"),
        (["--resume", "--chunk", "2", "--nms", "0.3"], "a run with other settings, nms: "),
    ],
)
def test_a_directory_of_another_run_is_refused(
    more: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is mixed up or overwritten."""
    paths = write_images(tmp_path / "images", 2)
    common = ["detect", *paths, *NETWORK, "--quiet", "--parquet", str(tmp_path / "parts")]
    assert run([*common, "--chunk", "2"]) == 0

    assert run([*common, *more]) == 2

    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--resume"], "--resume continues the run that --parquet DIR holds"),
        (["--chunk", "3"], "--chunk goes with --scheduler"),
        (["--unordered"], "--unordered goes with --scheduler"),
        (["--tls-ca", "x"], "--tls-ca goes with --scheduler"),
        (["--scheduler", "nowhere"], "--scheduler nowhere: neither an address nor a file; expected tcp://HOST:PORT"),
        (["--scheduler", "tcp://h:1", "--adaptive", "1:2"], "--adaptive"),
        (["--scheduler", "local", "--adaptive", "3"], "--adaptive 3: expected MIN:MAX"),
        (["--scheduler", "local", "--adaptive", "3:2"], "expected MIN:MAX, MIN at most MAX"),
        (["--scheduler", "local", "--tls-ca", "x"], "--tls-ca x: no such file"),
    ],
)
def test_options_that_do_not_fit_are_refused(
    options: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line before any work begins."""
    (path,) = write_images(tmp_path, 1)

    assert run(["detect", path, *NETWORK, *options]) == 2

    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1


def test_without_a_scheduler_nothing_of_dask_is_imported(tmp_path: Path) -> None:
    """A plain run imports neither Dask nor pyarrow nor the package that uses them."""
    import subprocess
    import sys

    from tests.distributed.support import environment

    (path,) = write_images(tmp_path, 1)
    code = (
        "import sys; from yolodsc.cli import run; run(sys.argv[1:]); "
        "print([m for m in ('distributed', 'dask', 'pyarrow', 'fsspec', 'yolodsc.distributed') if m in sys.modules])"
    )
    words = [sys.executable, "-c", code, "detect", path, *NETWORK, "--quiet"]
    done = subprocess.run(words, capture_output=True, text=True, check=True, env=environment())

    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("module", "options", "extra"),
    [("distributed", ["--scheduler", "local"], "distributed"), ("pyarrow", ["--parquet", "parts"], "parquet")],
)
def test_a_missing_library_gives_one_line(
    module: str, options: list[str], extra: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The line names the extra."""
    import sys

    (path,) = write_images(tmp_path, 1)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, module, None)

    assert run(["detect", path, *NETWORK, *options]) == 2

    said = capsys.readouterr().err
    assert f"(extra {extra})" in said
    assert said.count("\n") == 1


def test_equal_results_of_the_helper(detector: Detector, tmp_path: Path) -> None:
    """The comparison of the tests sees a difference of one bit."""
    (path,) = write_images(tmp_path, 1)
    (result,) = detector.many([path])
    assert result.detections is not None
    other = next(iter(detector.many([path], thresh=0.0501)))

    ensure_equal(result, result)
    changed = result.detections.scores.copy()
    changed[0] += 1e-6
    from msgspec.structs import replace

    with pytest.raises(AssertionError):
        ensure_equal(replace(other, detections=replace(result.detections, scores=changed)), result)

"""Runs on local workers, and schedulers and workers that cannot be used."""

import json
import socket
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.cli.support import NETWORK, STEM
from tests.distributed.support import detect, scheduler, worker_pids, workers, write_images
from tests.distributed.test_deaths import dataset
from tests.distributed.test_wire import ensure_equal
from yolodsc.cli import run
from yolodsc.detection import Detector
from yolodsc.distributed import ClusterSettings, DistributedDetector, DistributedOptions, connected
from yolodsc.errors import OptionError

if TYPE_CHECKING:
    from distributed import Client

pytest.importorskip("distributed")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def client() -> Iterator["Client"]:
    """Two local workers."""
    with connected(ClusterSettings(address="local:2")) as connection:
        yield connection


@pytest.fixture(scope="module")
def detector() -> Detector:
    """The small network."""
    return Detector.from_files(f"{STEM}.cfg", f"{STEM}.weights", thresh=0.05)


def test_map_gives_what_many_gives(client: "Client", detector: Detector, tmp_path: Path) -> None:
    """In order, with errors in their turn, under the options of the call."""
    paths = [*write_images(tmp_path, 21), str(tmp_path / "missing.png")]

    found = list(detector.map(paths, client=client, chunk=4, thresh=0.2, max_detections=5))
    small = list(detector.map(map(Path, paths), client=client))

    for one, other in zip(found, detector.many(paths, thresh=0.2, max_detections=5), strict=True):
        ensure_equal(one, other)
    for one, other in zip(small, detector.map(paths), strict=True):
        ensure_equal(one, other)


def test_local_workers_keep_no_profile(client: "Client") -> None:
    """Dask's statistical profile of each second would grow for an hour."""

    def enabled() -> bool:
        import dask

        return bool(dask.config.get("distributed.worker.profile.enabled"))

    assert not any(client.run(enabled).values())


def test_unordered_results_are_the_same_set(client: "Client", detector: Detector, tmp_path: Path) -> None:
    """Each image once."""
    paths = write_images(tmp_path, 21)

    found = {result.path: result for result in detector.map(paths, client=client, chunk=2, ordered=False)}

    assert sorted(found) == paths
    for other in detector.many(paths):
        ensure_equal(found[other.path], other)


def test_images_come_along_if_they_are_asked_for(client: "Client", detector: Detector, tmp_path: Path) -> None:
    """Pixels equal those of one process."""
    paths = write_images(tmp_path, 3)

    found = DistributedDetector(detector, client, DistributedOptions(images=True)).many(paths)

    for one, other in zip(found, detector.many(paths), strict=True):
        assert one.image is not None
        assert other.image is not None
        assert one.image.tobytes() == other.image.tobytes()
        assert one.detections is not None
        assert one.detections.image is not None


def test_an_endless_list_is_read_as_results_are_taken(client: "Client", detector: Detector, tmp_path: Path) -> None:
    """And its generator can be closed."""
    (path,) = write_images(tmp_path, 1)
    taken = 0

    def endless() -> Iterator[str]:
        nonlocal taken
        while True:
            taken += 1
            yield path

    results = detector.map(endless(), client=client, chunk=2)
    first = [next(results) for _ in range(10)]
    results.close()

    assert all(result.detections is not None for result in first)
    assert taken < 200


def test_relative_paths_are_those_of_the_client(
    client: "Client", detector: Detector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Workers have another working directory; results and errors have the paths as they were given."""
    write_images(tmp_path / "sub", 2)
    monkeypatch.chdir(tmp_path)
    paths = ["sub/image000.png", "sub/image001.png", "sub/none.png"]

    for one, other in zip(detector.map(paths, client=client), detector.many(paths), strict=True):
        ensure_equal(one, other)


def test_a_chunk_that_fails_three_times_is_reported(client: "Client", detector: Detector, tmp_path: Path) -> None:
    """Its images have errors, the others have results."""
    paths = write_images(tmp_path, 4)
    lines: list[str] = []
    broken = DistributedDetector(detector, client, DistributedOptions(chunk=2, report=lines.append))
    submit = broken._submit

    def failing(run: str, digest: str, options: object, parts: object, chunk: object, attempt: int) -> object:
        if chunk.number == 1:  # type: ignore[attr-defined]
            return client.submit(int, "no number", key=(run, 1, attempt), pure=False)
        return submit(run, digest, options, None, chunk, attempt)  # type: ignore[arg-type]

    broken._submit = failing  # type: ignore[assignment, method-assign]
    results = list(broken.many(paths))

    assert [result.error is None for result in results] == [True, True, False, False]
    assert "3 attempts at its chunk failed, at last: ValueError" in str(results[2].error)
    assert [line.split(": ")[1] for line in lines] == ["attempt 1 of 3 failed", "attempt 2 of 3 failed"]


def test_a_network_that_workers_cannot_run_ends_the_run(client: "Client", tmp_path: Path) -> None:
    """The error is that of the worker, at once."""
    detector = Detector.from_files(f"{STEM}.cfg", f"{STEM}.weights")
    detector.running = {**detector.running, "isa": "no-such"}

    with pytest.raises(OptionError, match="no-such"):
        list(detector.map(write_images(tmp_path, 2), client=client))


def test_outputs_of_detect_and_evaluate_are_those_of_one_process(tmp_path: Path) -> None:
    """JSON, JSON Lines, CSV, labels, drawings and figures, to the byte."""
    paths = [*write_images(tmp_path / "images", 12), str(tmp_path / "missing.png")]
    listed = tmp_path / "list.txt"
    listed.write_text("\n".join(paths))
    kinds = ("json", "jsonl", "csv", "coco", "txt", "save", "crops")

    def outputs(folder: str) -> list[str]:
        return [word for kind in kinds for word in (f"--{kind}", str(tmp_path / folder / kind))]

    common = [str(listed), *NETWORK, "--thresh", "0.1", "--quiet"]
    for folder, more in (("one", []), ("many", ["--scheduler", "local:2", "--chunk", "3"])):
        (tmp_path / folder).mkdir()
        assert run(["detect", *common, *outputs(folder), *more]) == 1

    one, many = (
        {p.relative_to(tmp_path / name): p.read_bytes() for p in (tmp_path / name).rglob("*") if p.is_file()}
        for name in ("one", "many")
    )
    assert len(one) > 30
    assert one == many


def test_an_audit_runs_on_workers(tmp_path: Path) -> None:
    """The list of suspects is that of one process."""
    data = dataset(tmp_path / "data", 6)
    common = ["audit", "--data", str(data), *NETWORK, "--quiet"]

    assert run([*common, "--csv", str(tmp_path / "one.csv")]) == 0
    assert run([*common, "--csv", str(tmp_path / "many.csv"), "--scheduler", "local:1", "--adaptive", "1:2"]) == 0

    assert (tmp_path / "one.csv").read_bytes() == (tmp_path / "many.csv").read_bytes()


def test_calibration_images_are_read_on_workers(client: "Client", detector: Detector, tmp_path: Path) -> None:
    """The arrays that `decompose` and `quantize` start from have the same bits; a damaged file gives its error."""
    from functools import partial

    from yolodsc.decompose import read_images
    from yolodsc.distributed import read_on_workers
    from yolodsc.errors import ImageError

    paths = write_images(tmp_path, 20)
    read = partial(read_on_workers, client, chunk=3)

    found = read_images(detector.network, paths, count=17, seed=3, read=read)

    assert found.tobytes() == read_images(detector.network, paths, count=17, seed=3).tobytes()
    Path(paths[5]).write_bytes(b"damaged")
    with pytest.raises(ImageError, match=r"image005\.png: cannot be read"):
        read_images(detector.network, paths, count=20, seed=3, read=read)


def test_an_unreachable_scheduler_gives_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The address, and what was expected."""
    monkeypatch.setattr("yolodsc.distributed.cluster.CONNECT_SECONDS", 1.0)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    (path,) = write_images(tmp_path, 1)

    assert run(["detect", path, *NETWORK, "--quiet", "--scheduler", address]) == 2

    said = capsys.readouterr().err
    assert said.startswith(f"yolodsc: --scheduler {address}: cannot be reached within 1 s")
    assert "expected a running Dask scheduler" in said
    assert said.count("\n") == 1


def test_a_scheduler_without_workers_gives_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """After a while."""
    monkeypatch.setattr("yolodsc.distributed.cluster.WORKER_SECONDS", 1.0)
    (path,) = write_images(tmp_path, 1)
    with scheduler(tmp_path) as (_, file):
        assert run(["detect", path, *NETWORK, "--quiet", "--scheduler", str(file)]) == 2

    said = capsys.readouterr().err
    assert "no workers within 1 s; expected at least one" in said
    assert said.count("\n") == 1


def test_another_version_on_a_worker_gives_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Which worker, what it has, and what was expected."""
    other = tmp_path / "other/yolodsc"
    other.mkdir(parents=True)
    (other / "__init__.py").write_text('__version__ = "99.1"\n')
    (path,) = write_images(tmp_path, 1)
    with scheduler(tmp_path) as (_, file), workers(tmp_path, file, 1, PYTHONPATH=str(other.parent)):
        worker_pids(file, 1)
        assert run(["detect", path, *NETWORK, "--quiet", "--scheduler", str(file)]) == 2

    said = capsys.readouterr().err
    assert "worker tcp://127.0.0.1:" in said
    assert ": yolodsc 99.1; expected yolodsc " in said
    assert said.count("\n") == 1


def test_paths_that_workers_do_not_see_give_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The path leads through the working directory of whatever process opens it."""
    write_images(tmp_path / "here", 4)
    (tmp_path / "there").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    paths = [f"/proc/self/cwd/image00{n}.png" for n in range(4)]
    with scheduler(tmp_path) as (_, file), workers(tmp_path, file, 1, cwd=tmp_path / "there"):
        worker_pids(file, 1)
        none = detect(*paths, "--scheduler", str(file), "--chunk", "4", log=tmp_path / "none.log").wait(240)
        (tmp_path / "there/image001.png").symlink_to(tmp_path / "here/image001.png")
        some = detect(*paths, "--scheduler", str(file), "--chunk", "4", log=tmp_path / "some.log").wait(240)
        shared = ["--scheduler", str(file), "--parquet", "/proc/self/cwd/parts"]
        unshared = detect(paths[1], *shared, log=tmp_path / "unshared.log").wait(240)

    said = {name: (tmp_path / f"{name}.log").read_text() for name in ("none", "some", "unshared")}
    assert none == 2
    assert said["none"].count("\n") == 1
    assert (
        "no file /proc/self/cwd/image000.png, nor the other 3 of its chunk; expected the paths of this machine on every"
        in said["none"]
    )
    assert some == 1
    assert said["some"].count(": no such file on worker tcp://127.0.0.1:") == 3
    assert unshared == 2
    assert "expected a directory that all machines share" in said["unshared"]


def test_a_network_of_one_machine_is_encrypted_with_certificates(tmp_path: Path, detector: Detector) -> None:
    """Scheduler, workers and client use TLS if certificates are given."""
    subprocess_certificate(tmp_path)
    paths = write_images(tmp_path / "images", 3)
    settings = ClusterSettings(
        address="local:1", tls_ca=str(tmp_path / "cert.pem"), tls_cert=str(tmp_path / "cert.pem"), tls_key=str(tmp_path / "key.pem")
    )

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with connected(settings) as client:
            found = list(detector.map(paths, client=client))
            address = client.scheduler.address

    assert address.startswith("tls://")
    for one, other in zip(found, detector.many(paths), strict=True):
        ensure_equal(one, other)


def subprocess_certificate(folder: Path) -> None:
    """A certificate that signs itself, by openssl."""
    import shutil
    import subprocess

    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("needs openssl")
    words = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    files = ["-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")]
    subprocess.run([*words, *files], check=True, capture_output=True)


def test_the_manifest_of_a_run_names_what_it_depends_on(tmp_path: Path) -> None:
    """Network, thresholds, and the size of chunks."""
    pytest.importorskip("pyarrow")
    (path,) = write_images(tmp_path, 1)
    assert run(["detect", path, *NETWORK, "--quiet", "--parquet", str(tmp_path / "parts")]) == 0

    record = json.loads((tmp_path / "parts/_run.json").read_text())

    assert {"cfg", "weights", "thresh", "nms", "chunk", "profile", "precision"} <= set(record)

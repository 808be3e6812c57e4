"""Options that run a command on the workers of a Dask scheduler."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Annotated

from yolodsc.cli.declarations import option
from yolodsc.cli.terminal import note
from yolodsc.errors import OptionError
from yolodsc.values import Value

if TYPE_CHECKING:
    from distributed import Client

    from yolodsc.arrays import Array
    from yolodsc.detection import Detector, InputReader
    from yolodsc.distributed import ClusterSettings


class ClusterOptions(Value, kw_only=True):
    """Where the workers are, and how they are used."""

    scheduler: Annotated[
        str | None,
        option(
            metavar="A",
            help="Run on the workers of a Dask scheduler: tcp://HOST:PORT, local or local:N processes here, or a scheduler file.",
            show_default="in this process",
        ),
    ] = None
    chunk: Annotated[
        int | None,
        option(min=1, metavar="N", help="Images that are sent, repeated and written together.", show_default="64, or fewer"),
    ] = None
    adaptive: Annotated[
        str | None, option(metavar="MIN:MAX", help="Number of local workers, which follows the work.", show_default="fixed")
    ] = None
    worker_timeout: Annotated[
        float | None,
        option(
            min=1.0,
            metavar="S",
            help="Restart a worker that finishes no chunk for so many seconds after its first.",
            show_default="20 times the measured time of a chunk, 30 or more",
        ),
    ] = None
    tls_ca: Annotated[str | None, option(metavar="F", help="PEM file of the certificate authority.")] = None
    tls_cert: Annotated[str | None, option(metavar="F", help="PEM file of the certificate of this process.")] = None
    tls_key: Annotated[str | None, option(metavar="F", help="PEM file of the key of this process.")] = None

    def check(self, *, chunks: bool = False) -> None:
        """Raise an error, before any work begins, for options that need a scheduler, and for one that cannot be used.

        ``chunks`` says whether the run has chunks without a scheduler too.
        """
        if self.scheduler is not None:
            self.settings().check()
            return
        given = {
            "--chunk": None if chunks else self.chunk,
            "--adaptive": self.adaptive,
            "--worker-timeout": self.worker_timeout,
            "--tls-ca": self.tls_ca,
        }
        given |= {"--tls-cert": self.tls_cert, "--tls-key": self.tls_key}
        for name, value in [*given.items(), *self._also_refused().items()]:
            if value:
                raise OptionError(f"{name} goes with --scheduler")

    def settings(self) -> "ClusterSettings":
        """The settings of the library."""
        from yolodsc.distributed import ClusterSettings

        tls = {"tls_ca": self.tls_ca, "tls_cert": self.tls_cert, "tls_key": self.tls_key}
        return ClusterSettings(address=self.scheduler or "local", adaptive=_adaptive(self.adaptive), **tls)

    @contextmanager
    def running(
        self,
        detector: "Detector",
        *,
        total: Callable[[], int | None] | None = None,
        images: bool = False,
        ordered: bool = True,
        quiet: bool,
    ) -> Iterator["Detector"]:
        """The detector whose `many` runs on the workers; without ``--scheduler`` the detector itself.

        Parameters
        ----------
        total
            Returns the number of images, if it is known; called only if it is shown.
        images
            Whether results need their images.
        ordered
            Whether results come in the order of the images.
        """
        if self.scheduler is None:
            yield detector
            return
        from yolodsc.cli.cluster_progress import ClusterProgress
        from yolodsc.distributed import DistributedDetector, DistributedOptions, connected

        with connected(self.settings()) as client, ClusterProgress(total=total, quiet=quiet) as shown:
            if not quiet:
                _announce(client)
            distribution = DistributedOptions(
                chunk=self.chunk,
                ordered=ordered,
                images=images,
                limit=self.worker_timeout,
                report=note,
                finished=shown.add,
            )
            yield DistributedDetector(detector, client, distribution)

    @contextmanager
    def reading(self, *, quiet: bool) -> Iterator["Callable[[InputReader, Iterable[str]], Iterable[Array]] | None"]:
        """What reads calibration images on the workers; None without ``--scheduler``."""
        if self.scheduler is None:
            yield None
            return
        from yolodsc.distributed import connected, read_on_workers

        with connected(self.settings()) as client:
            if not quiet:
                _announce(client)
            yield partial(read_on_workers, client, chunk=self.chunk, limit=self.worker_timeout, report=note)

    def _also_refused(self) -> dict[str, object]:
        """Further options that need a scheduler."""
        return {}


class StreamingClusterOptions(ClusterOptions, kw_only=True):
    """The same for results that are written as they come."""

    unordered: Annotated[bool, option("--unordered", help="Write results as they come, not in the order of the images.")] = False

    def _also_refused(self) -> dict[str, object]:
        return {"--unordered": self.unordered}


def _announce(client: "Client") -> None:
    """Print the number of workers and the addresses of scheduler and dashboard."""
    note(f"{len(client.nthreads())} workers at {client.scheduler.address}, dashboard {client.dashboard_link}")


@contextmanager
def advice_on_loss(advice: Callable[[], str]) -> Iterator[None]:
    """Add to the error of a lost scheduler what is kept, and how to go on."""
    try:
        yield
    except OptionError as error:
        from yolodsc.distributed import SchedulerLostError

        if not isinstance(error, SchedulerLostError):
            raise
        raise OptionError(f"{error}; {advice()}") from None


def _adaptive(text: str | None) -> tuple[int, int] | None:
    """Two numbers from ``MIN:MAX``."""
    if text is None:
        return None
    minimum, colon, maximum = text.partition(":")
    if not (colon and minimum.isdecimal() and maximum.isdecimal()):
        raise OptionError(f"--adaptive {text}: expected MIN:MAX, such as 1:8")
    return int(minimum), int(maximum)

"""Connection to a Dask scheduler: one that runs elsewhere, or workers on this machine for the duration of a run."""

import gc
import logging
import os
import re
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Any

from yolodsc.distributed.versions import ensure_same_version
from yolodsc.engine import available_cores
from yolodsc.errors import MissingExtraError, OptionError
from yolodsc.files import is_file
from yolodsc.values import Value

if TYPE_CHECKING:
    from distributed import Client, LocalCluster
    from distributed.security import Security

CONNECT_SECONDS = 10.0
"""How long a scheduler may take to answer."""

WORKER_SECONDS = 120.0
"""How long the first worker may take to appear: queues of batch systems are waited for by those who start the workers."""

LOCAL_CONFIG = {
    "distributed.worker.profile.enabled": False,
    "distributed.worker.memory.monitor-interval": "1s",
    "distributed.admin.system-monitor.interval": "2s",
    "distributed.admin.system-monitor.log-length": 120,
    "distributed.admin.tick.interval": "200ms",
}
"""Dask's configuration of a local scheduler and its workers. Its own intervals take a tenth of a core that the network needs, and
statistical profiles grow for an hour."""

_LOCAL = re.compile(r"local(?::([0-9]{1,4}))?")
_EXPECTED = "expected tcp://HOST:PORT, tls://HOST:PORT, local, local:N, or a scheduler file"


class ClusterSettings(Value, kw_only=True):
    """Where the workers are.

    Attributes
    ----------
    address
        ``tcp://host:8786``, ``tls://host:8786``, ``local``, ``local:4`` for four worker processes on this machine, or the path of
        a scheduler file.
    tls_ca, tls_cert, tls_key
        PEM files of the certificate authority, and of this process. Without them, Dask's own configuration applies.
    adaptive
        Least and greatest number of local workers, which follows the work.
    """

    address: str
    tls_ca: str | None = None
    tls_cert: str | None = None
    tls_key: str | None = None
    adaptive: tuple[int, int] | None = None

    @property
    def local(self) -> int | None:
        """Number of worker processes on this machine; 0 for one for each core, None if the scheduler runs elsewhere."""
        found = _LOCAL.fullmatch(self.address)
        return None if found is None else int(found[1] or 0)

    def check(self) -> None:
        """Raise an error for settings that contradict each other, and without Dask, before any work begins."""
        tls = {"tls_ca": self.tls_ca, "tls_cert": self.tls_cert, "tls_key": self.tls_key}
        for name, path in tls.items():
            if path is None and any(tls.values()):
                raise OptionError(f"{name}: missing; expected tls_ca, tls_cert and tls_key together", parameter=name)
            if path is not None and not is_file(path):
                raise OptionError(f"{name}={path}: no such file", parameter=name)
        if self.adaptive is not None and self.local is None:
            raise OptionError(
                f"adaptive: the scheduler {self.address} runs elsewhere; expected local, or adapt() of the cluster that started it",
                parameter="adaptive",
            )
        if self.adaptive is not None and not 0 <= self.adaptive[0] <= self.adaptive[1] != 0:
            raise OptionError(
                f"adaptive={self.adaptive[0]}:{self.adaptive[1]}: expected MIN:MAX, MIN at most MAX, MAX at least 1",
                parameter="adaptive",
            )
        if self.local is None:
            self.location()
        ensure_dask()

    def location(self) -> dict[str, str]:
        """The argument of Dask's client that names the scheduler."""
        if "://" in self.address:
            return {"address": self.address}
        if is_file(self.address):
            return {"scheduler_file": self.address}
        if re.fullmatch(r"[\w.-]+:[0-9]{1,5}|\[[0-9a-fA-F:]+\]:[0-9]{1,5}", self.address):
            return {"address": f"{'tls' if self.tls_ca else 'tcp'}://{self.address}"}
        raise OptionError(f"scheduler={self.address}: neither an address nor a file; {_EXPECTED}", parameter="scheduler")


def ensure_dask() -> None:
    """Raise a `MissingExtraError` if Dask's scheduler is not installed."""
    try:
        import distributed  # noqa: F401
    except ImportError:
        raise MissingExtraError("distributed", needed_for="a scheduler") from None


@contextmanager
def connected(settings: ClusterSettings) -> Iterator["Client"]:
    """Connect to the scheduler, or start one with workers; both end with the block.

    Raises
    ------
    MissingExtraError
        Dask is not installed.
    OptionError
        The settings are invalid, the scheduler cannot be reached, has no workers, or a worker has another version of yolodsc.
    """
    settings.check()
    with ExitStack() as stack:
        stack.enter_context(_quiet_logs())
        security = _security(settings)
        local = _local_cluster(settings, stack, security) if settings.local is not None else None
        client = _client(settings, local, security)
        stack.callback(_close, client)
        _ensure_workers(client, settings)
        ensure_same_version(client)
        yield client


def _local_cluster(settings: ClusterSettings, stack: ExitStack, security: "Security | None") -> "LocalCluster":
    """Worker processes on this machine, which share its cores."""
    import dask.config
    from distributed import LocalCluster

    cores = available_cores()
    count = settings.local or (settings.adaptive[1] if settings.adaptive else cores)
    workers = settings.adaptive[0] if settings.adaptive else count
    threads = max(cores // count, 1)
    address = "127.0.0.1:0"
    with warnings.catch_warnings(), dask.config.set(LOCAL_CONFIG):
        warnings.simplefilter("ignore")
        try:
            cluster = LocalCluster(
                n_workers=workers,
                threads_per_worker=threads,
                processes=True,
                dashboard_address=address,
                silence_logs=logging.CRITICAL,
                security=security,
                config=LOCAL_CONFIG,
            )
        except (OSError, RuntimeError, TimeoutError) as error:
            raise OptionError(f"scheduler={settings.address}: cannot be started: {_line(error)}", parameter="scheduler") from None
    stack.callback(_close, cluster)
    if settings.adaptive:
        cluster.adapt(minimum=settings.adaptive[0], maximum=settings.adaptive[1])
    return cluster


def _client(settings: ClusterSettings, local: "LocalCluster | None", security: "Security | None") -> "Client":
    from distributed import Client

    location: dict[str, Any] = {"address": local} if local is not None else settings.location()
    try:
        return Client(**location, timeout=CONNECT_SECONDS, security=security, set_as_default=False)
    except (OSError, TimeoutError, ValueError, TypeError, RuntimeError, KeyError) as error:
        reason = f"cannot be reached within {CONNECT_SECONDS:.0f} s: {_line(error)}; expected a running Dask scheduler"
        raise OptionError(f"scheduler={settings.address}: {reason}", parameter="scheduler") from None


def _ensure_workers(client: "Client", settings: ClusterSettings) -> None:
    """Wait for the first worker."""
    if settings.adaptive and settings.adaptive[0] == 0:
        return
    try:
        client.wait_for_workers(1, timeout=WORKER_SECONDS)
    except TimeoutError:
        raise OptionError(
            f"scheduler={settings.address}: no workers within {WORKER_SECONDS:.0f} s; expected at least one", parameter="scheduler"
        ) from None


def _security(settings: ClusterSettings) -> "Security | None":
    """Certificates of the settings; None leaves the choice to Dask's configuration."""
    if settings.tls_ca is None:
        return None
    from distributed.security import Security

    pair = {
        f"tls_{role}_{part}": path
        for role in ("client", "scheduler", "worker")
        for part, path in (("cert", settings.tls_cert), ("key", settings.tls_key))
    }
    return Security(tls_ca_file=settings.tls_ca, require_encryption=True, **pair)


@contextmanager
def _quiet_logs() -> Iterator[None]:
    """Silence Dask and asyncio, which repeat in many lines what errors say in one; YOLODSC_DASK_LOG=1 keeps their messages."""
    import distributed  # noqa: F401  its import sets levels, which come before those that follow

    names = [name for name in logging.root.manager.loggerDict if name.partition(".")[0] in ("distributed", "tornado")]
    loggers = [] if os.environ.get("YOLODSC_DASK_LOG") else [logging.getLogger(name) for name in ("asyncio", *names)]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        gc.collect()  # asyncio reports tasks of a lost connection when they are deleted
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)


def _close(closeable: Any) -> None:
    """Close a client or cluster, whatever state it is in."""
    with suppress(Exception):
        closeable.close(timeout=CONNECT_SECONDS)


def _line(error: BaseException) -> str:
    """An exception in one line."""
    line = " ".join(str(error).split()) or type(error).__name__
    return line if len(line) <= 160 else f"{line[:160]}…"

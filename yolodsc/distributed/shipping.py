"""The plugin that brings a package to every worker once, also to those that join later."""

from typing import TYPE_CHECKING

from distributed import WorkerPlugin

from yolodsc.distributed.worker import drop, keep

if TYPE_CHECKING:
    from distributed import Worker

    from yolodsc.distributed.package import DetectorPackage


class ShipPackage(WorkerPlugin):  # type: ignore[misc]
    """Keeps a package on a worker as long as the plugin is registered.

    Parameters
    ----------
    package
        The package.
    """

    idempotent = True

    def __init__(self, package: "DetectorPackage") -> None:
        self.package = package
        self.name = f"yolodsc-{package.digest}"

    def setup(self, worker: "Worker") -> None:
        """Keep the package."""
        keep(self.package, worker.address, worker.state.nthreads)

    def teardown(self, worker: "Worker") -> None:
        """Drop the package and its detector."""
        drop(self.package.digest, worker.address)

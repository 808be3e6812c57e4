"""`DetectorPackage`: everything that a worker needs to build the same detector, as bytes with a content hash."""

import pickle
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from yolodsc.values import Value

if TYPE_CHECKING:
    from yolodsc.detection import Detector


class DetectorPackage(Value):
    """A detector in transit.

    Attributes
    ----------
    content
        The pickled parameters of a `Detector`: network with weights, names, options, quantization.
    digest
        SHA-256 of the content, by which workers know it.
    version
        The version of yolodsc that made it.
    """

    content: bytes
    digest: str
    version: str

    @classmethod
    def of(cls, detector: "Detector") -> "DetectorPackage":
        """Return the package of a detector, without compiled kernels: workers compile for their own processors."""
        import yolodsc

        reader, counts = detector.reader, detector.counts
        parameters: dict[str, Any] = {
            "network": detector.network,
            "names": detector.names,
            "thresh": detector.thresh,
            "nms_thresh": detector.nms_thresh,
            "geometry": reader.geometry,
            "exif": reader.exif,
            "decoder": reader.decoder,
            "classes": None if detector.classes is None else tuple(detector.classes),
            "bgr": detector.bgr,
            "tiling": detector.tiling,
            "threads": counts[0],
            "streams": counts[1],
            **{name: value for name, value in detector.running.items() if name != "progress"},
        }
        content = pickle.dumps(parameters, protocol=5)
        return cls(content, sha256(content).hexdigest(), yolodsc.__version__)

    def build(self, cores: int) -> "Detector":
        """Return the detector, compiled for this machine, with as many streams as ``cores`` unless it was made with a number."""
        from yolodsc.detection import Detector

        parameters = pickle.loads(self.content)
        tiling, threads, streams = (parameters.pop(name) for name in ("tiling", "threads", "streams"))
        if streams is None:
            streams = max(cores // (threads or 1), 1)
        network, names = parameters.pop("network"), parameters.pop("names")
        detector = Detector(network, names, threads=threads or 1, streams=streams, **parameters)
        detector.tiling = tiling
        return detector

"""`Model`, `DetectionModel` and `ClassificationModel`: a net with everything around it, as in ``cv2.dnn``."""

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from yolodsc.arrays import Array
from yolodsc.cv2dnn.net import Net
from yolodsc.cv2dnn.reading import readNet
from yolodsc.errors import OptionError

Frame = NDArray[np.uint8]


class Model:
    """A net and how frames become its blobs.

    Parameters
    ----------
    model
        A `Net`, or the path of the ``.cfg`` or ``.weights`` file.
    config
        The path of the other file.
    """

    def __init__(self, model: "str | Net", config: str = "") -> None:
        self._net = model if isinstance(model, Net) else readNet(model, config)
        self._names = self._net.getUnconnectedOutLayersNames()
        self._size = (0, 0)
        self._scale: Any = 1.0
        self._mean: Any = (0, 0, 0, 0)
        self._swap, self._crop = False, False

    def setInputParams(  # noqa: N802
        self,
        scale: float = 1.0,
        size: tuple[int, int] = (0, 0),
        mean: Any = (0, 0, 0, 0),
        swapRB: bool = False,
        crop: bool = False,
    ) -> None:
        """Set all options of blobs; ``size`` is (width, height)."""
        self._scale, self._size, self._mean = scale, _sized(size), mean
        self._swap, self._crop = swapRB, crop

    def setInputSize(self, *size: Any) -> Self:  # noqa: N802
        """Set the size of blobs, (width, height) or two numbers."""
        self._size = _sized(size[0] if len(size) == 1 else size)
        return self

    def setInputMean(self, mean: Any) -> Self:  # noqa: N802
        """Set what is subtracted from pixels."""
        self._mean = mean
        return self

    def setInputScale(self, scale: Any) -> Self:  # noqa: N802
        """Set the factor of pixels, one number or one for each channel."""
        self._scale = scale
        return self

    def setInputSwapRB(self, swapRB: bool) -> Self:  # noqa: N802
        """Set whether red and blue are exchanged."""
        self._swap = swapRB
        return self

    def setInputCrop(self, crop: bool) -> Self:  # noqa: N802
        """Set whether frames are cropped at the centre instead of stretched."""
        self._crop = crop
        return self

    def setPreferableBackend(self, backendId: int) -> Self:  # noqa: N802
        """Accept a backend, without effect."""
        self._net.setPreferableBackend(backendId)
        return self

    def setPreferableTarget(self, targetId: int) -> Self:  # noqa: N802
        """Accept a target, without effect."""
        self._net.setPreferableTarget(targetId)
        return self

    def enableWinograd(self, useWinograd: bool) -> Self:  # noqa: N802
        """Accept the option, without effect."""
        self._net.enableWinograd(useWinograd)
        return self

    def getNetwork_(self) -> Net:  # noqa: N802
        """The net."""
        return self._net

    def predict(self, frame: Frame) -> tuple[Array, ...]:
        """Outputs for a frame (H, W, C) of uint8.

        Raises
        ------
        OptionError
            No input size was set.
        """
        import cv2

        if 0 in self._size:
            raise OptionError("input size not specified; expected setInputSize or setInputParams before")
        scale = np.atleast_1d(np.asarray(self._scale, float)).reshape(-1)
        same = bool((scale[: max(1, len(scale))] == scale[0]).all())
        options: dict[str, Any] = {"size": self._size, "mean": self._mean, "swapRB": self._swap, "crop": self._crop}
        blob = cv2.dnn.blobFromImage(frame, float(scale[0]) if same else 1.0, **options)
        if not same:
            blob = blob * scale[: blob.shape[1]].astype(np.float32)[:, None, None]
        self._net.setInput(blob)
        return self._net.forward(self._names)


class DetectionModel(Model):
    """A detector: boxes out of frames."""

    def __init__(self, model: "str | Net", config: str = "") -> None:
        super().__init__(model, config)
        self._net.disable_region_nms()
        self._across = False

    def setNmsAcrossClasses(self, value: bool) -> Self:  # noqa: N802
        """Set whether boxes suppress those of other classes."""
        self._across = value
        return self

    def getNmsAcrossClasses(self) -> bool:  # noqa: N802
        """Whether boxes suppress those of other classes."""
        return self._across

    def detect(
        self,
        frame: Frame,
        confThreshold: float = 0.5,
        nmsThreshold: float = 0.0,
    ) -> tuple[Any, Any, Any]:
        """Class ids, confidences and boxes (left, top, width, height) in pixels; arrays, or empty tuples if nothing is found."""
        from yolodsc.cv2dnn.detections import boxes_of, suppressed

        outputs = self.predict(frame)
        height, width = frame.shape[:2]
        found = boxes_of(outputs, width=width, height=height, thresh=confThreshold)
        if nmsThreshold:
            found = suppressed(found, thresh=confThreshold, overlap=nmsThreshold, across=self._across)
        return found if len(found[0]) else ((), (), ())


class ClassificationModel(Model):
    """A classifier: the best class of frames."""

    def __init__(self, model: "str | Net", config: str = "") -> None:
        super().__init__(model, config)
        self._softmax = False

    def setEnableSoftmaxPostProcessing(self, enable: bool) -> Self:  # noqa: N802
        """Set whether a softmax follows the network."""
        self._softmax = enable
        return self

    def getEnableSoftmaxPostProcessing(self) -> bool:  # noqa: N802
        """Whether a softmax follows the network."""
        return self._softmax

    def classify(self, frame: Frame) -> tuple[int, float]:
        """Number and confidence of the best class."""
        from yolodsc.network import softmax

        (output,) = self.predict(frame)
        scores = output.reshape(-1)
        if self._softmax:
            scores = softmax(scores)
        best = int(scores.argmax())
        return best, float(scores[best])


def _sized(size: Any) -> tuple[int, int]:
    width, height = size
    return int(width), int(height)

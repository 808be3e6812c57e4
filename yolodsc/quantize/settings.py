"""Settings and results of a quantization."""

from dataclasses import dataclass
from math import inf

from yolodsc.errors import QuantizationError
from yolodsc.network import Network
from yolodsc.precision import Precision, Quantization


@dataclass(frozen=True, slots=True)
class QuantizeSettings:
    """How to quantize a network.

    Attributes
    ----------
    keep_agreement
        F1 of the detections against those in float32 that is aimed at: layers that cost accuracy run in bf16 until it is reached,
        as far as ``max_bf16_share`` allows.
    max_bf16_share
        Maximum share of the multiplications in bf16 for the sake of agreement, depthwise layers not counted.
    budget_ms
        Instead of ``keep_agreement``: milliseconds for one image on this machine. Layers run in bf16 as long as they fit.
    equalize
        Try cross-layer equalization; it is kept if it lowers the output error.
    held_back
        Share of the images that nothing is fitted on.
    """

    keep_agreement: float = 0.99
    max_bf16_share: float = 0.5
    budget_ms: float | None = None
    equalize: bool = True
    held_back: float = 0.1
    seed: int = 0
    threads: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.keep_agreement <= 1:
            raise QuantizationError(f"keep_agreement={self.keep_agreement:g}: expected 0 to 1")
        if not 0 <= self.max_bf16_share <= 1:
            raise QuantizationError(f"max_bf16_share={self.max_bf16_share:g}: expected 0 to 1")
        if self.budget_ms is not None and not 0 < self.budget_ms < inf:
            raise QuantizationError(f"budget_ms={self.budget_ms:g}: expected more than 0")


@dataclass(frozen=True, slots=True)
class QuantizedLayer:
    """Result for one convolution.

    Attributes
    ----------
    precision
        What it runs in.
    weight_error
        ||Y - Y'|| / ||Y - mean|| of its outputs before the activation, by the rounding of the weights; 0 in bf16.
    input_error
        Error at the heads if only the tensor that the layer reads is rounded to bytes.
    """

    index: int
    precision: Precision
    multiply_adds: int
    weight_error: float
    input_error: float


@dataclass(frozen=True, slots=True, eq=False)
class QuantizedNetwork:
    """A quantized network.

    Attributes
    ----------
    network
        The network in float32 that the quantization belongs to, equalized if ``equalized``.
    output_error
        ||O - O'|| / ||O - mean|| over the inputs of the heads, on the held-back images.
    agreement
        F1 of the detections against those of the original on all images and on the held-back ones; None without heads.
    detections
        Number of detections of the original on all images.
    """

    network: Network
    quantization: Quantization
    layers: tuple[QuantizedLayer, ...]
    output_error: float
    agreement: tuple[float, float] | None
    equalized: bool
    settings: QuantizeSettings
    seconds: float
    detections: int = 0

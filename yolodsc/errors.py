"""The error tree.

Every error that user input can cause is one of these. The message gives location, found value and expected value.

YolodscError
├── CfgError            a .cfg file: grammar, options, shapes
├── WeightsError        a .weights file: length, header
├── ImageError          an image that cannot be read or written
├── DatasetError        a VOC tree, label folder, detections file, list or .names file
├── DecompositionError  a network or layer that cannot be made separable as requested
├── QuantizationError   a network that cannot be quantized, or a quantization that does not fit its network
├── ConversionError     a network that another format or form cannot express
├── EngineError         a network that the fused engine cannot run
├── OptionError         a parameter, option or argument that is invalid
└── MissingExtraError   an optional library that is not installed
"""

EXTRAS = {
    "demo": "scikit-image>=0.24",
    "distributed": "distributed>=2024.8",
    "onnx": "onnx>=1.16",
    "parquet": "pyarrow>=15",
    "plots": "matplotlib>=3.8",
    "remote": "fsspec>=2024.6",
    "safetensors": "safetensors>=0.4",
    "supervision": "supervision>=0.22",
    "tables": "pandas>=2",
    "track": "trackers>=2.6",
}
"""Optional libraries, by the extra that stands for them in ``pyproject.toml``."""

_BREAKS = str.maketrans({c: repr(c)[1:-1] for c in "\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"})
"""The characters at which `str.splitlines` splits, and their escapes; names in files may contain any of them."""


class YolodscError(Exception):
    """Base of every error that bad input can cause; its text is one line, with line breaks as escapes.

    Attributes
    ----------
    parameter
        Name of the parameter at fault, which the text holds as ``parameter=value`` or ``parameter:``. The command line
        prints the spelling of its option instead.
    """

    def __init__(self, *args: object, parameter: str | None = None) -> None:
        super().__init__(*args)
        self.parameter = parameter

    def __str__(self) -> str:
        return super().__str__().translate(_BREAKS)


class CfgError(YolodscError):
    """A network description that cannot be read or built: ``tiny.cfg:39: [convolutional] groups=5 …``."""


class WeightsError(YolodscError):
    """A weights file that does not fit its network."""


class ImageError(YolodscError):
    """An image that cannot be decoded or written."""


class DatasetError(YolodscError):
    """Ground truth, detections, names or lists that cannot be used."""


class DecompositionError(YolodscError):
    """A network or layer that cannot be decomposed as requested."""


class QuantizationError(YolodscError):
    """A network that cannot be quantized as requested, or a quantization that does not fit its network."""


class ConversionError(YolodscError):
    """A network or layer that cannot be written in another format or form."""


class EngineError(YolodscError):
    """A network that the fused engine cannot run: too large to address, or a plan that would leave its buffers."""


class OptionError(YolodscError):
    """A parameter that is invalid, contradicts another, or names nothing."""


class MissingExtraError(YolodscError):
    """An optional library is missing; the message gives a command that installs it for a checkout and for a wheel alike."""

    def __init__(self, extra: str, *, needed_for: str) -> None:
        library = EXTRAS[extra]
        name = library.partition(">")[0]
        super().__init__(f"{needed_for} needs {name}, which is not installed: pip install '{library}' (extra {extra})")

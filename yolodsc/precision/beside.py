"""The quantization of a network's files."""

from pathlib import Path

from yolodsc.errors import OptionError
from yolodsc.files import is_file
from yolodsc.network import Network
from yolodsc.precision.file import read_quantization
from yolodsc.precision.quantization import Quantization

ENDING = ".quant.npz"


def quantization_for(precision: str, network: Network, *files: Path) -> Quantization | None:
    """The quantization beside the ``files`` of a network, with the stem of one of them, if ``precision`` uses one.

    Raises
    ------
    OptionError
        ``int8`` is asked for, and there is no such file.
    QuantizationError
        The file is not a quantization of the network.
    """
    if precision not in ("int8", "auto"):
        return None
    candidates = list(dict.fromkeys(file.with_name(file.stem + ENDING) for file in files))
    found = next((file for file in candidates if is_file(file)), None)
    if found is not None:
        return read_quantization(found, network)
    if precision == "auto":
        return None
    expected = " or ".join(map(str, candidates))
    raise OptionError(f"precision=int8: expected {expected}, which yolodsc quantize makes", parameter="precision")

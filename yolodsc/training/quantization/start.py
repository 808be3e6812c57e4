"""The quantization that training starts from."""

from collections.abc import Sequence
from pathlib import Path

from yolodsc.decompose import read_images
from yolodsc.errors import OptionError
from yolodsc.files import folder
from yolodsc.network import Network
from yolodsc.precision import Quantization, quantization_for, read_quantization, write_quantization
from yolodsc.quantize import calibrated

START_FILE = "start.quant.npz"
"""File in the folder of a training, from which a resumed training reads its start."""

CALIBRATION_IMAGES = 300


def starting_quantization(
    student: Network,
    files: Sequence[Path],
    paths: Sequence[str],
    out: Path,
    *,
    threads: int = 1,
    seed: int = 0,
    resume: bool = False,
) -> Quantization:
    """The quantization beside the student's ``files``, or one with all layers in int8, calibrated on some of the images.

    It is written to the folder ``out``. A resumed training reads it from there.

    Raises
    ------
    QuantizationError
        A file is no quantization of the student, or no layer can run in int8.
    """
    stored = out / START_FILE
    if resume:
        return read_quantization(stored, student)
    start = quantization_for("auto", student, *files)
    if start is None:
        images = read_images(student, paths, count=CALIBRATION_IMAGES, seed=seed)
        start = calibrated(student, images, threads=threads, seed=seed)
    folder(out, error=OptionError)
    write_quantization(stored, student, start)
    return start

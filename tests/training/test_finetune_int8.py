"""Fine-tuning in int8: the loop, checkpoints, and the command."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.training.scenes import student, write_images
from yolodsc import engine
from yolodsc.cli import run
from yolodsc.decompose import read_images
from yolodsc.errors import OptionError
from yolodsc.network.network import Network
from yolodsc.precision import Quantization, TensorScale, minmax_quantization, quantized_forward, read_quantization
from yolodsc.training.finetune.settings import FinetuneSettings
from yolodsc.training.finetune.trainer import FinetuneResult, Trainer
from yolodsc.training.quantization.start import START_FILE

pytestmark = pytest.mark.slow

SHORT = FinetuneSettings(epochs=2, batch=4, rate=1e-3, warmup=0, average=0.9, precision="int8")


def trainer(folder: Path, paths: list[str], *, threads: int = 1, resume: bool = False, precision: str = "int8") -> Trainer:
    """A student that learns from its own outputs in float32."""
    net = student()
    quantization = minmax_quantization(net, read_images(net, paths, count=10, seed=0)) if precision == "int8" else None
    settings = replace(SHORT, precision=precision)
    more = {"threads": threads, "resume": resume, "quantization": quantization}
    return Trainer(net, settings, paths=paths, teacher=net, folder=folder, **more)  # type: ignore[arg-type]


def trained(folder: Path, paths: list[str], **options: object) -> FinetuneResult:
    """The result at the end."""
    own = trainer(folder, paths, **options)  # type: ignore[arg-type]
    try:
        return own.run()
    finally:
        own.close()


def described(result: FinetuneResult) -> list[object]:
    """Everything that two results have in common if they are the same to the bit."""
    assert result.quantization is not None
    weights = result.quantization.weights.values()
    arrays = [array for own in result.network.weights for array in own.values()]
    arrays += [array for own in weights for array in (own.weights, own.scale, own.bias)]
    return [sorted(result.quantization.scales.items()), *(array.tobytes() for array in arrays)]


def heads_error(net: Network, quantization: Quantization, paths: list[str]) -> float:
    """Relative error at the input of the head, by the exact reference."""
    index = net.heads[0].sources[0]
    images = read_images(student(), paths, count=10, seed=0)
    expected = np.stack([student().forward(x)[index] for x in images])
    found = np.stack([quantized_forward(net, quantization, x)[index] for x in images])
    return float(np.linalg.norm(found - expected) / np.linalg.norm(expected))


def test_the_result_does_not_depend_on_threads_or_interruptions(tmp_path: Path) -> None:
    """To the bit, with the learned scales and the integers."""
    paths = write_images(tmp_path, 10)
    whole = trained(tmp_path / "whole", paths)

    own = trainer(tmp_path / "parts", paths)
    with pytest.raises(KeyboardInterrupt):
        own.run(progress=lambda step, loss: own.stop() if step == 2 else None)
    own.close()

    assert described(trained(tmp_path / "parts", paths, resume=True)) == described(whole)
    assert described(trained(tmp_path / "threads", paths, threads=3)) == described(whole)


def test_a_training_in_float32_is_not_continued_in_int8(tmp_path: Path) -> None:
    """The precision is one of the options that a checkpoint remembers."""
    paths = write_images(tmp_path, 6)
    trained(tmp_path / "a", paths, precision="f32")

    with pytest.raises(OptionError, match="other options, networks or images"):
        trainer(tmp_path / "a", paths, resume=True)


def test_training_brings_the_network_nearer_to_its_outputs_in_float32(tmp_path: Path) -> None:
    """Ranges of a third of what the tensors need are learned, and the error at the head halves."""
    paths, net = write_images(tmp_path, 10), student()
    calibrated = minmax_quantization(net, read_images(net, paths, count=10, seed=0))
    narrow = {i: TensorScale(float(np.float32(s.scale / (1 if i < 0 else 3))), s.zero_point) for i, s in calibrated.scales.items()}
    start = Quantization(calibrated.layers, narrow, calibrated.weights)
    settings = replace(SHORT, epochs=40, rate=1e-2, decay=0.0, average=0.0)
    own = Trainer(net, settings, paths=paths, teacher=net, folder=tmp_path / "a", quantization=start)
    result = own.run()
    own.close()

    assert result.quantization is not None
    assert heads_error(result.network, result.quantization, paths) < 0.5 * heads_error(net, start, paths)


def test_int8_needs_a_quantization_and_frozen_statistics(tmp_path: Path) -> None:
    """And float32 takes none."""
    paths, net = write_images(tmp_path, 2), student()

    with pytest.raises(OptionError, match="precision=int8: expected a quantization"):
        Trainer(net, SHORT, paths=paths, teacher=net, folder=tmp_path)
    with pytest.raises(OptionError, match="expected frozen statistics"):
        replace(SHORT, statistics="live")
    with pytest.raises(OptionError, match="precision=bf16: expected f32 or int8"):
        replace(SHORT, precision="bf16")


def test_the_command_writes_what_the_engine_runs(tmp_path: Path) -> None:
    """A pair with its quantization, from the student alone; its detections in int8 are those of the exact reference."""
    write_images(tmp_path, 6)
    net = student()
    net.save(tmp_path / "s.cfg", tmp_path / "s.weights")
    words = ["--student", tmp_path / "s.cfg", "--images", tmp_path / "images", "--out", tmp_path / "out", "--name", "q"]
    options = ["--precision", "int8", "--epochs", "1", "--batch", "4", "--quiet"]

    assert run(["finetune", *map(str, words), *options]) == 0

    written = Network.load(tmp_path / "out/q.cfg", tmp_path / "out/q.weights")
    quantization = read_quantization(tmp_path / "out/q.quant.npz", written)
    assert (tmp_path / "out" / START_FILE).exists()
    assert quantization.provenance["method"] == "quantization-aware fine-tuning"
    assert json.loads((tmp_path / "out/history.json").read_text())["settings"]["precision"] == "int8"
    x, index = np.full(written.input_shape, 0.5, np.float32), written.heads[0].sources[0]
    expected = quantized_forward(written, quantization, x)[index]
    with engine.compile(written, outputs=[index], precision="int8", quantization=quantization) as runner:
        assert np.array_equal(runner(x)[index], expected)


def test_training_starts_from_the_quantization_beside_the_student(tmp_path: Path) -> None:
    """Its precisions are kept; nothing is calibrated."""
    from yolodsc.precision import write_quantization
    from yolodsc.training import starting_quantization

    paths = write_images(tmp_path, 3)
    net = student()
    net.save(tmp_path / "s.cfg", tmp_path / "s.weights")
    beside = minmax_quantization(net, read_images(net, paths, count=3, seed=0), int8=[2, 4])
    write_quantization(tmp_path / "s.quant.npz", net, beside)

    found = starting_quantization(net, [tmp_path / "s.cfg"], paths, tmp_path / "out")

    assert sorted(found.weights) == [2, 4]
    assert starting_quantization(net, [], [], tmp_path / "out", resume=True).scales == found.scales

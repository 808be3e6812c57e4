"""The table of docs/finetune.md: what trainings cost and bring.

    python tools/finetuning_table.py --voc VOCdevkit/VOC2007 --set test --names voc.names PAIR… RUN…

PAIR is the stem of a ``.cfg`` and ``.weights``; RUN a folder that ``yolodsc finetune`` wrote. All are scored on the same images.
"""

import argparse
import json
from pathlib import Path

from yolodsc.darknet.names import read_names
from yolodsc.evaluation.datasets.dataset import InputReport
from yolodsc.evaluation.datasets.voc import read_voc
from yolodsc.network.network import Network
from yolodsc.training.finetune.history import HISTORY_FILE
from yolodsc.training.finetune.validation import Validation


def main() -> None:
    """Print one line a network, then every run's command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--voc", type=Path, required=True)
    parser.add_argument("--set", required=True)
    parser.add_argument("--names", type=Path, required=True)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("runs", nargs="+", type=Path)
    given = parser.parse_args()
    names = read_names(given.names)
    validation = Validation(read_voc(given.voc, given.set, InputReport(), names=names), names, given.threads)
    first: float | None = None
    commands = []
    print("| network | MMAC | kB | epochs | hours | seed | mAP, voc10 | share of the first |\n|---|---|---|---|---|---|---|---|")
    for path in given.runs:
        cfg, run = _files(path)
        network = Network.load(cfg, cfg.with_suffix(".weights"))
        score = 100 * validation(network)
        first = first or score
        macs = network.multiply_adds / 1e6
        size = cfg.with_suffix(".weights").stat().st_size / 1000
        cells = (cfg.stem, f"{macs:.1f}", f"{size:.0f}", *_training(run), f"{score:.2f}", f"{100 * score / first:.1f} %")
        print("| " + " | ".join(cells) + " |", flush=True)
        if run:
            commands.append(f"{cfg.stem}: yolodsc {_bare(run['command'])}")
    print("\n```\n" + "\n".join(commands) + "\n```")


def _files(path: Path) -> tuple[Path, dict | None]:  # type: ignore[type-arg]
    """The cfg, and the run's history where it is one."""
    if not path.is_dir():
        return path.with_name(path.name + ".cfg"), None
    return next(path.glob("*.cfg")), json.loads((path / HISTORY_FILE).read_text())


def _training(run: dict | None) -> tuple[str, str, str]:  # type: ignore[type-arg]
    """Epochs, hours, seed."""
    if run is None:
        return "", "", ""
    hours = sum(entry["seconds"] for entry in run["epochs"]) / 3600
    return f"{run['settings']['epochs']:g}", f"{hours:.2f}", str(run["settings"]["seed"])


def _bare(command: str) -> str:
    """Names of files without their folders."""
    return " ".join(Path(word).name if "/" in word else word for word in command.split())


if __name__ == "__main__":
    main()

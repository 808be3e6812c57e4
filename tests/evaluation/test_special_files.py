"""Readers of datasets refuse pipes, which would block them, and devices, which never end."""

import os
from pathlib import Path

import pytest

from tests.cli.support import posix
from yolodsc.convert import read_model
from yolodsc.errors import YolodscError
from yolodsc.evaluation.datasets.dataset import InputReport
from yolodsc.evaluation.datasets.journal import resume_journal
from yolodsc.evaluation.datasets.voc import read_voc

pytestmark = posix


@posix
def test_a_pipe_in_place_of_an_annotation_is_reported(tmp_path: Path) -> None:
    """The image is left out."""
    for folder in ("Annotations", "ImageSets/Main"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "ImageSets/Main/test.txt").write_text("1\n2\n")
    (tmp_path / "Annotations/2.xml").write_text("<annotation><size><width>9</width><height>9</height></size></annotation>")
    os.mkfifo(tmp_path / "Annotations/1.xml")
    report = InputReport()

    dataset = read_voc(tmp_path, "test", report)

    assert dataset.ids == ("2",)
    assert report.notes[0] == f"{tmp_path}/Annotations/1.xml: is a pipe; expected a file; the image is left out"


@posix
def test_a_pipe_in_place_of_a_journal_is_refused(tmp_path: Path) -> None:
    """Before it is opened."""
    os.mkfifo(tmp_path / "detections.jsonl")

    with pytest.raises(YolodscError, match="is a pipe; expected a file"):
        resume_journal(tmp_path / "detections.jsonl", {})


@posix
@pytest.mark.parametrize("name", ["x.npz", "x.safetensors"])
def test_a_pipe_in_place_of_an_archive_is_refused(name: str, tmp_path: Path) -> None:
    """Before it is opened."""
    os.mkfifo(tmp_path / name)

    with pytest.raises(YolodscError, match="is a pipe; expected a file"):
        read_model(tmp_path / name)

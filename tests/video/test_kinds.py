"""What is a clip, and what it is called."""

from pathlib import Path

import pytest
from PIL import Image

from tests.video.support import write_clip
from yolodsc.detection.sources import Sources
from yolodsc.detection.video.kinds import display_name, file_name, is_clip
from yolodsc.errors import OptionError


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("a.mp4", True),
        ("a.MOV", True),
        ("0", True),
        ("12", True),
        ("/dev/video3", True),
        ("rtsp://host/x", True),
        ("HTTPS://host/a.jpg", True),
        ("http://", False),
        ("file:///a.mp4.png", False),
        ("a.jpg", False),
        ("a.gif", False),
        ("٣", False),
        ("-", False),
        ("", False),
    ],
)
def test_names_decide_what_is_a_clip(source: str, expected: bool) -> None:
    """Extensions, numbers and schemes; an animation must exist to be one."""
    assert is_clip(source) is expected


def test_only_images_of_several_frames_are_animations(tmp_path: Path) -> None:
    """GIF and WebP of one frame stay images, and so does what is damaged."""
    images = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    for suffix in ("gif", "webp"):
        images[0].save(tmp_path / f"one.{suffix}")
        images[0].save(tmp_path / f"two.{suffix}", save_all=True, append_images=images[1:], duration=100)
    (tmp_path / "broken.gif").write_bytes(b"GIF89a")

    clips = [path.name for path in sorted(tmp_path.iterdir()) if is_clip(str(path))]

    assert clips == ["two.gif", "two.webp"]


def test_a_file_named_like_a_camera_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files take precedence over indices."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "0").write_bytes(b"")

    assert not is_clip("0")
    assert is_clip("1")


def test_credentials_are_never_shown() -> None:
    """URLs keep host and path only; cameras and files keep their names."""
    assert display_name("rtsp://admin:p@ss@10.0.0.7:554/live/1") == "rtsp://10.0.0.7:554/live/1"
    assert display_name("http://host/a?b=c@d") == "http://host/a?b=c@d"
    assert display_name("3") == "camera3"
    assert display_name("clips/a.mp4") == "clips/a.mp4"


def test_urls_give_file_names_of_their_last_part() -> None:
    """Or of the host."""
    assert file_name("http://host/x/dog.jpg?size=1") == "dog.jpg"
    assert file_name("rtsp://cam.example.org:554/") == "cam_example_org"
    assert file_name("clips/a.mp4") == "clips/a.mp4"


def test_directories_globs_and_lists_contribute_videos(tmp_path: Path) -> None:
    """Where clips are accepted; elsewhere directories contribute images only and URLs are missing files."""
    write_clip(tmp_path / "a.mp4", 2)
    Image.new("RGB", (8, 8)).save(tmp_path / "b.png")
    (tmp_path / "list.txt").write_text(f"{tmp_path / 'a.mp4'}\nrtsp://host/live\n")

    both = Sources([str(tmp_path), str(tmp_path / "*.mp4"), str(tmp_path / "list.txt"), "0", "http://h/a?b*"], clips=True)
    images = Sources([str(tmp_path)])

    assert [Path(path).name for path in both] == ["a.mp4", "b.png", "a.mp4", "a.mp4", "live", "0", "a?b*"]
    assert both.has_clips()
    assert [Path(path).name for path in images] == ["b.png"]
    assert not images.has_clips()
    with pytest.raises(OptionError, match="expected the address of an image"):
        Sources(["http://h/a.mp4"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(OptionError, match="no images or videos in this directory"):
        Sources([str(tmp_path / "empty")], clips=True)

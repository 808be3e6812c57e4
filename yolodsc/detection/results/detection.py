"""`Detection`: one detected object."""

from typing import Any

from yolodsc.values import Value


class Detection(Value):
    """One object: a row of `Detections`, as plain Python values.

    Attributes
    ----------
    class_id
        Number of the class.
    name
        Its name.
    score
        Objectness times class probability, 0 to 1.
    box_xyxy
        Left, top, right, bottom in pixels of the image; not clipped.
    track_id
        Number of the track; None without tracking.
    """

    class_id: int
    name: str
    score: float
    box_xyxy: tuple[float, float, float, float]
    track_id: int | None = None

    def __repr__(self) -> str:
        left, top, right, bottom = self.box_xyxy
        track = "" if self.track_id is None else f", track_id={self.track_id}"
        return f"Detection({self.name} {self.score:.3f}, box_xyxy=({left:.1f}, {top:.1f}, {right:.1f}, {bottom:.1f}){track})"

    def to_dict(self) -> dict[str, Any]:
        """The object as JSON values; ``track_id`` only with tracking."""
        values: dict[str, Any] = {
            "class_id": self.class_id,
            "name": self.name,
            "score": self.score,
            "box_xyxy": list(self.box_xyxy),
        }
        return values if self.track_id is None else {**values, "track_id": self.track_id}

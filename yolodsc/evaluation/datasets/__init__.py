"""Ground truth and detections as they lie on disk: VOC trees, YOLO labels, COCO JSON, Cartucho and rafaelpadilla folders."""

from yolodsc.evaluation.datasets.dataset import Dataset, DetectionRows, InputReport, to_table

__all__ = ["Dataset", "DetectionRows", "InputReport", "to_table"]

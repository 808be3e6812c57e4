"""Ground truth and detections as they lie on disk: VOC trees, YOLO labels, COCO JSON, Cartucho and rafaelpadilla folders."""

from yolodsc.evaluation.datasets.dataset import Dataset, Report, Rows, place

__all__ = ["Dataset", "Report", "Rows", "place"]

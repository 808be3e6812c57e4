from .calibration.images import read_images as read_images
from .driver import decompose as decompose
from .report import compare_networks as compare_networks, report_markdown as report_markdown, write_report as write_report
from .settings import Decomposition as Decomposition, LayerResult as LayerResult, MOST as MOST, Progress as Progress, Settings as Settings
from .single import separation_errors as separation_errors

from .detection import Detections as Detections
from .detection import Detector as Detector
from .detection import load as load
from .network import Network as Network

__version__: str

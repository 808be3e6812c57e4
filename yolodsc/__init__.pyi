from . import cv2dnn as cv2dnn
from . import errors as errors
from .detection import Classification as Classification
from .detection import Classifier as Classifier
from .detection import Detection as Detection
from .detection import Detections as Detections
from .detection import Detector as Detector
from .detection import load as load
from .detection import load_classifier as load_classifier
from .errors import YolodscError as YolodscError
from .network import Network as Network

__version__: str

"""From the heads' inputs to detections: by compiled kernels where all heads allow it, by `Head.decode` otherwise."""

from .decoding import HeadDecoding as HeadDecoding
from .decoding import Maps as Maps
from .reference import Postprocessor as Postprocessor
from .workspace import DECODING_KERNELS as DECODING_KERNELS

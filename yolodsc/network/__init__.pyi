from .boxes import Candidates as Candidates, finite as finite, iou as iou, joined as joined, nms as nms, to_xywh as to_xywh, to_xyxy as to_xyxy
from .class_tree import Tree as Tree
from .finite import require_finite as require_finite
from .folding import folded as folded
from .layer import Head as Head, Layer as Layer, MOST_WORKING as MOST_WORKING, PICTURE as PICTURE, Weights as Weights
from .layers.activation import ActivationLayer as ActivationLayer
from .layers.avgpool import AvgpoolLayer as AvgpoolLayer
from .layers.batchnorm import BatchnormLayer as BatchnormLayer
from .layers.connected import ConnectedLayer as ConnectedLayer
from .layers.convolutional import ConvolutionalLayer as ConvolutionalLayer
from .layers.crop import CropLayer as CropLayer
from .layers.detection import DetectionLayer as DetectionLayer
from .layers.gaussian_yolo import GaussianYoloLayer as GaussianYoloLayer
from .layers.identity import IdentityLayer as IdentityLayer
from .layers.implicit import ImplicitLayer as ImplicitLayer
from .layers.local import LocalLayer as LocalLayer
from .layers.local_avgpool import LocalAvgpoolLayer as LocalAvgpoolLayer
from .layers.maxpool import MaxpoolLayer as MaxpoolLayer, windowed as windowed
from .layers.normalization import NormalizationLayer as NormalizationLayer
from .layers.region import RegionLayer as RegionLayer
from .layers.reorg import ReorgLayer as ReorgLayer
from .layers.reorg3d import Reorg3dLayer as Reorg3dLayer
from .layers.route import RouteLayer as RouteLayer
from .layers.sam import SamLayer as SamLayer
from .layers.scale_channels import ScaleChannelsLayer as ScaleChannelsLayer
from .layers.shortcut import ShortcutLayer as ShortcutLayer
from .layers.softmax import SoftmaxLayer as SoftmaxLayer
from .layers.upsample import UpsampleLayer as UpsampleLayer
from .layers.yolo import AnchorHead as AnchorHead, YoloLayer as YoloLayer
from .network import Network as Network
from .reference.activations import BENDS as BENDS, activate as activate, logistic as logistic
from .reference.convolution import BLUR_GEOMETRY as BLUR_GEOMETRY, binarized_weights as binarized_weights, folded_norm as folded_norm
from .reference.product import Product as Product
from .summary import Row as Row, Summary as Summary, summarise as summarise
from .weights import Header as Header, initial_weights as initial_weights, write_weights as write_weights

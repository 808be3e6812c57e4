"""One file for each section type; `LAYER_TYPES` lists all of them.

A new type needs one file here, one line in the table, and one test file.
"""

from yolodsc.network.layer import Layer
from yolodsc.network.layers.activation import ActivationLayer
from yolodsc.network.layers.avgpool import AvgpoolLayer
from yolodsc.network.layers.batchnorm import BatchnormLayer
from yolodsc.network.layers.connected import ConnectedLayer
from yolodsc.network.layers.convolutional import ConvolutionalLayer
from yolodsc.network.layers.crop import CropLayer
from yolodsc.network.layers.detection import DetectionLayer
from yolodsc.network.layers.gaussian_yolo import GaussianYoloLayer
from yolodsc.network.layers.identity import CostLayer, DropoutLayer, EmptyLayer
from yolodsc.network.layers.implicit import ImplicitLayer
from yolodsc.network.layers.local import LocalLayer
from yolodsc.network.layers.local_avgpool import LocalAvgpoolLayer
from yolodsc.network.layers.maxpool import MaxpoolLayer
from yolodsc.network.layers.normalization import NormalizationLayer
from yolodsc.network.layers.region import RegionLayer
from yolodsc.network.layers.reorg import ReorgLayer
from yolodsc.network.layers.reorg3d import Reorg3dLayer
from yolodsc.network.layers.route import RouteLayer
from yolodsc.network.layers.sam import SamLayer
from yolodsc.network.layers.scale_channels import ScaleChannelsLayer
from yolodsc.network.layers.shift_channels import ShiftChannelsLayer
from yolodsc.network.layers.shortcut import ShortcutLayer
from yolodsc.network.layers.softmax import SoftmaxLayer
from yolodsc.network.layers.upsample import UpsampleLayer
from yolodsc.network.layers.yolo import YoloLayer

LAYER_TYPES: dict[str, type[Layer]] = {
    "convolutional": ConvolutionalLayer,
    "conv": ConvolutionalLayer,
    "maxpool": MaxpoolLayer,
    "max": MaxpoolLayer,
    "local_avgpool": LocalAvgpoolLayer,
    "local_avg": LocalAvgpoolLayer,
    "avgpool": AvgpoolLayer,
    "avg": AvgpoolLayer,
    "route": RouteLayer,
    "route_lhalf": RouteLayer,
    "shortcut": ShortcutLayer,
    "upsample": UpsampleLayer,
    "reorg": ReorgLayer,
    "reorg3d": Reorg3dLayer,
    "scale_channels": ScaleChannelsLayer,
    "control_channels": ScaleChannelsLayer,
    "shift_channels": ShiftChannelsLayer,
    "sam": SamLayer,
    "dropout": DropoutLayer,
    "batchnorm": BatchnormLayer,
    "activation": ActivationLayer,
    "connected": ConnectedLayer,
    "conn": ConnectedLayer,
    "local": LocalLayer,
    "crop": CropLayer,
    "cost": CostLayer,
    "softmax": SoftmaxLayer,
    "soft": SoftmaxLayer,
    "normalization": NormalizationLayer,
    "lrn": NormalizationLayer,
    "implicit": ImplicitLayer,
    "implicit_add": ImplicitLayer,
    "implicit_mul": ImplicitLayer,
    "empty": EmptyLayer,
    "silence": EmptyLayer,
    "blank": EmptyLayer,
    "yolo": YoloLayer,
    "Gaussian_yolo": GaussianYoloLayer,
    "region": RegionLayer,
    "detection": DetectionLayer,
}
"""Section names, Darknet's aliases included (``parser.c: string_to_layer_type``), and those of yolor's PyTorch program."""

UNSUPPORTED_TYPES = frozenset("rnn gru lstm crnn conv_lstm history contrastive deconvolutional deconv iseg l2norm logistic".split())
"""Sections of Darknet that are not supported."""

"""One file for each section type; `LAYER_TYPES` is the whole dialect at a glance.

A new type is one file here, one line in the table, one test file.
"""

from yolodsc.layer import Layer
from yolodsc.layers.activation import ActivationLayer
from yolodsc.layers.avgpool import AvgpoolLayer
from yolodsc.layers.batchnorm import BatchnormLayer
from yolodsc.layers.connected import ConnectedLayer
from yolodsc.layers.convolutional import ConvolutionalLayer
from yolodsc.layers.crop import CropLayer
from yolodsc.layers.detection import DetectionLayer
from yolodsc.layers.gaussian_yolo import GaussianYoloLayer
from yolodsc.layers.identity import CostLayer, DropoutLayer, EmptyLayer
from yolodsc.layers.implicit import ImplicitLayer
from yolodsc.layers.local import LocalLayer
from yolodsc.layers.local_avgpool import LocalAvgpoolLayer
from yolodsc.layers.maxpool import MaxpoolLayer
from yolodsc.layers.normalization import NormalizationLayer
from yolodsc.layers.region import RegionLayer
from yolodsc.layers.reorg import ReorgLayer
from yolodsc.layers.reorg3d import Reorg3dLayer
from yolodsc.layers.route import RouteLayer
from yolodsc.layers.sam import SamLayer
from yolodsc.layers.scale_channels import ScaleChannelsLayer
from yolodsc.layers.shortcut import ShortcutLayer
from yolodsc.layers.softmax import SoftmaxLayer
from yolodsc.layers.upsample import UpsampleLayer
from yolodsc.layers.yolo import YoloLayer

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
    "shortcut": ShortcutLayer,
    "upsample": UpsampleLayer,
    "reorg": ReorgLayer,
    "reorg3d": Reorg3dLayer,
    "scale_channels": ScaleChannelsLayer,
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
    "empty": EmptyLayer,
    "silence": EmptyLayer,
    "blank": EmptyLayer,
    "yolo": YoloLayer,
    "Gaussian_yolo": GaussianYoloLayer,
    "region": RegionLayer,
    "detection": DetectionLayer,
}
"""Section names, Darknet's aliases included (``parser.c: string_to_layer_type``)."""

UNSUPPORTED_TYPES = frozenset("rnn gru lstm crnn conv_lstm history contrastive deconvolutional deconv iseg l2norm logistic".split())
"""Sections that a Darknet knows and this program does not run."""

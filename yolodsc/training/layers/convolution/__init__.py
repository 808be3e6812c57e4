"""Convolutions in training: one class for each kind, and batch norm on the batch's own statistics."""

from yolodsc.network import ConvolutionalLayer
from yolodsc.training.layers.context import LayerContext, TrainingOperation
from yolodsc.training.layers.convolution.batchnorm import BatchNormTraining
from yolodsc.training.layers.convolution.depthwise import DepthwiseTraining
from yolodsc.training.layers.convolution.few_channels import FewChannelsTraining
from yolodsc.training.layers.convolution.few_channels import supports as few_channels_supports
from yolodsc.training.layers.convolution.moments import Moments
from yolodsc.training.layers.convolution.pointwise import PointwiseTraining
from yolodsc.training.layers.convolution.regular import RegularTraining
from yolodsc.training.layers.convolution.winograd import WinogradTraining
from yolodsc.training.layers.convolution.winograd import supports as winograd_supports


def convolution(context: LayerContext[ConvolutionalLayer]) -> TrainingOperation:
    """Return the operation for the kind of convolution."""
    if context.layer.pointwise:
        return PointwiseTraining(context)
    if context.layer.depthwise:
        return DepthwiseTraining(context)
    if few_channels_supports(context):
        return FewChannelsTraining(context)
    return WinogradTraining(context) if winograd_supports(context.layer) else RegularTraining(context)


def normalised_convolution(context: LayerContext[ConvolutionalLayer], moments: Moments) -> BatchNormTraining:
    """Return the operation of a convolution with live batch norm."""
    return BatchNormTraining(context, convolution, moments)

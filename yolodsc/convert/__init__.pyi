from .batch_norm import fold_batch_norm as fold_batch_norm
from .formats import ModelFile as ModelFile
from .formats import read_model as read_model
from .formats import write_files as write_files
from .formats import write_model as write_model
from .onnx.export import export_onnx as export_onnx
from .partial import first_layers as first_layers
from .separable import fold_separable as fold_separable

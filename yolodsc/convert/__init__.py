"""Networks in other formats and forms: `read` and `write` files, `first_layers`, `fold_batch_norm`, `fold_separable`."""

from yolodsc.convert.batch_norm import fold_batch_norm
from yolodsc.convert.formats import Model, read_model, write_files, write_model
from yolodsc.convert.partial import first_layers
from yolodsc.convert.separable import fold_separable

__all__ = ["Model", "first_layers", "fold_batch_norm", "fold_separable", "read_model", "write_files", "write_model"]

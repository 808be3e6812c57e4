"""Detection on many machines by Dask, and chunks of images that are written as Parquet files."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

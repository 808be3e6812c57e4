"""A cache of compiled code on disk, which is read only if nobody but the user can have written it."""

from yolodsc.jit.cache.store import cache_directory, contents, distrust_reason, load_cached, store_cached

__all__ = ["cache_directory", "contents", "distrust_reason", "load_cached", "store_cached"]

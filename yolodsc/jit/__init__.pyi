from .cache.store import cache_directory as cache_directory, contents as contents, trouble as trouble
from .compiler import compiler as compiler
from .forks import ForkLock as ForkLock, at_child as at_child
from .host import host as host
from .isa import Isa as Isa, available as available, choose as choose
from .kernel import Kernel as Kernel
from .lanes import Lanes as Lanes
from .numba_cache import njit as njit
from .words import instruction as instruction, pointer as pointer, put as put, word as word

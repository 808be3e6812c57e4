from .compilation import compile as compile
from .fastdsc.piecewise_linear import add_bias_and_activate as add_bias_and_activate
from .fastdsc.runner import FastDscRunner as FastDscRunner
from .runtime.cores import capped_at_cores as capped_at_cores
from .runtime.entry import PlanEntry as PlanEntry
from .runtime.entry import seconds_of as seconds_of
from .runtime.runner import Runner as Runner
from .selection import select_backend as select_backend

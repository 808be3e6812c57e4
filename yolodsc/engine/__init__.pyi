from .fastdsc.piecewise_linear import bend as bend
from .fastdsc.runner import FastDscRunner as FastDscRunner
from .runner import Runner as Runner, compile as compile
from .runtime.cores import capped as capped
from .runtime.entry import Entry as Entry, seconds_of as seconds_of
from .selection import choice as choice

from .document import Place as Place, below as below, checked as checked, dumps as dumps, parse as parse, refuse as refuse, unique as unique, without_infinities as without_infinities
from .faults import joined as joined
from .npz import open_npz as open_npz
from .numbers import Box as Box, Finite as Finite, Index as Index, MOST as MOST, Positive as Positive, Share as Share, Side as Side, Text as Text, Whole as Whole

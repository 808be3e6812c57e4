from .ablation import Ablation as Ablation, Row as Row, ablate as ablate
from .machine import Machine as Machine, machine as machine
from .peers import PEERS as PEERS, find as find, versions as versions
from .startup import Memory as Memory, Start as Start, memory as memory, start as start
from .streams import Flow as Flow, SECONDS as SECONDS, throughput as throughput
from .subject import Subject as Subject, named as named, random as random, subject as subject
from .timing import Absent as Absent, OURS as OURS, Result as Result, compare as compare, rounds_in as rounds_in

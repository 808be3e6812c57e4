from .comparison.bootstrap import DRAWS as DRAWS, Difference as Difference, compare as compare, read_evaluation as read_evaluation
from .datasets.coco_json import load_json as load_json
from .datasets.comp4 import write_comp4 as write_comp4
from .datasets.dataset import Dataset as Dataset, Report as Report
from .datasets.formats import Format as Format, FormatName as FormatName, read_detections as read_detections, read_truth as read_truth
from .datasets.journal import JOURNAL as JOURNAL, Scored as Scored, appending as appending, continued as continued
from .datasets.text import Corners as Corners, label_file as label_file, label_path as label_path, with_difficult as with_difficult
from .datasets.voc import read_set as read_set, read_voc as read_voc, set_file as set_file
from .evaluation import Evaluation as Evaluation, evaluate as evaluate, write_json as write_json
from .inference import detections_of as detections_of, settings_of as settings_of, speed_of as speed_of, table_of as table_of, with_network as with_network
from .metrics.rules import RULES as RULES, Rule as Rule, adjusted as adjusted, rules_named as rules_named
from .metrics.score import RuleResult as RuleResult
from .plots import need_matplotlib as need_matplotlib, write_plots as write_plots

from .bundled import DEFAULT_MODEL as DEFAULT_MODEL, ModelFiles as ModelFiles, bundled_models as bundled_models, names_beside as names_beside, resolve_model as resolve_model
from .detections import Detections as Detections
from .detector import Detector as Detector, Found as Found, class_numbers as class_numbers, default_geometry as default_geometry, names_of as names_of, reported_classes as reported_classes
from .outputs import Writer as Writer
from .outputs.annotated import AnnotatedWriter as AnnotatedWriter
from .outputs.cells import text_cell as text_cell
from .outputs.crops import CropWriter as CropWriter
from .outputs.csv_file import CsvWriter as CsvWriter
from .outputs.json_file import JsonWriter as JsonWriter
from .outputs.txt_files import TxtWriter as TxtWriter
from .read_ahead import Ticket as Ticket, in_order as in_order
from .sources import Sources as Sources, pictures as pictures, samples as samples

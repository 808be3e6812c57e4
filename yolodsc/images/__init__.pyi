from .draw import annotated as annotated
from .image import GREY as GREY, Geometry as Geometry, Picture as Picture, Placement as Placement, READING_KERNELS as READING_KERNELS, WRITABLE as WRITABLE, fit as fit, from_array as from_array, read_image as read_image, to_planar as to_planar, write_image as write_image
from .image_file import opened as opened
from .jpeg import read_jpeg as read_jpeg

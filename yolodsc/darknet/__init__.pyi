from .cfg import Cfg as Cfg, Option as Option, Section as Section, parse_cfg as parse_cfg, read_cfg as read_cfg
from .names import fitted as fitted, names_of_data as names_of_data, read_names as read_names
from .profile import ALEXEYAB as ALEXEYAB, Profile as Profile, profile_named as profile_named

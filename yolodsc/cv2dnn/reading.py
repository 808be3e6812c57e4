"""``readNetFromDarknet`` and ``readNet``."""

from yolodsc.cv2dnn.net import Net
from yolodsc.cv2dnn.network_file import Content, ordered, read_darknet


def readNetFromDarknet(cfgFile: Content, darknetModel: Content | None = None) -> Net:  # noqa: N802
    """Read a network from a ``.cfg`` and a ``.weights`` file, or from their bytes.

    Raises
    ------
    CfgError, WeightsError
        A file cannot be used.
    """
    return Net(read_darknet(cfgFile, darknetModel))


def readNet(model: str, config: str = "", framework: str = "") -> Net:  # noqa: N802
    """Read a network from its two files, in either order.

    Raises
    ------
    OptionError
        Neither file is a ``.cfg`` file: other frameworks are read by ``cv2.dnn.readNet``.
    """
    del framework
    cfg, weights = ordered(str(model), str(config))
    return Net(read_darknet(cfg, weights or None))

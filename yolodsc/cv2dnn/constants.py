"""``DNN_…`` constants: those of the installed OpenCV, or those of OpenCV 4 that OpenCV 5 has no longer."""

import cv2 as _opencv


def _constant(name: str, value: int) -> int:
    """The constant of the installed OpenCV, or ``value``."""
    return int(getattr(_opencv.dnn, name, value))


DNN_BACKEND_DEFAULT = _constant("DNN_BACKEND_DEFAULT", 0)
DNN_BACKEND_HALIDE = _constant("DNN_BACKEND_HALIDE", 1)
DNN_BACKEND_INFERENCE_ENGINE = _constant("DNN_BACKEND_INFERENCE_ENGINE", 2)
DNN_BACKEND_OPENCV = _constant("DNN_BACKEND_OPENCV", 3)
DNN_BACKEND_VKCOM = _constant("DNN_BACKEND_VKCOM", 4)
DNN_BACKEND_CUDA = _constant("DNN_BACKEND_CUDA", 5)
DNN_BACKEND_WEBNN = _constant("DNN_BACKEND_WEBNN", 6)
DNN_BACKEND_TIMVX = _constant("DNN_BACKEND_TIMVX", 7)
DNN_BACKEND_CANN = _constant("DNN_BACKEND_CANN", 8)
DNN_TARGET_CPU = _constant("DNN_TARGET_CPU", 0)
DNN_TARGET_OPENCL = _constant("DNN_TARGET_OPENCL", 1)
DNN_TARGET_OPENCL_FP16 = _constant("DNN_TARGET_OPENCL_FP16", 2)
DNN_TARGET_MYRIAD = _constant("DNN_TARGET_MYRIAD", 3)
DNN_TARGET_VULKAN = _constant("DNN_TARGET_VULKAN", 4)
DNN_TARGET_FPGA = _constant("DNN_TARGET_FPGA", 5)
DNN_TARGET_CUDA = _constant("DNN_TARGET_CUDA", 6)
DNN_TARGET_CUDA_FP16 = _constant("DNN_TARGET_CUDA_FP16", 7)
DNN_TARGET_HDDL = _constant("DNN_TARGET_HDDL", 8)
DNN_TARGET_NPU = _constant("DNN_TARGET_NPU", 9)
DNN_TARGET_CPU_FP16 = _constant("DNN_TARGET_CPU_FP16", 10)

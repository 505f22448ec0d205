"""All known divergences, whatever the library: importing this module fills the table."""

from __future__ import annotations

from . import flax as flax
from . import iree as iree
from . import keras as keras  # its table is that of the three usual ways
from . import keras_ways as keras_ways
from . import mnn as mnn
from . import onnx_reference as onnx_reference
from . import onnxruntime as onnxruntime
from . import opencv as opencv
from . import openvino as openvino
from . import torch as torch
from . import tract as tract
from .table import DIVERGENCES, Divergence, concerning, installed

__all__ = ["DIVERGENCES", "Divergence", "concerning", "installed"]

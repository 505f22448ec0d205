"""Weights in the layouts of other frameworks, to and from Keras's.

    from pytest_rnnequiv import layouts

    state = layouts.to_torch(spec, weights)              # for module.load_state_dict
    layers, weights = layouts.from_torch(state)          # of torch.nn.RNN, GRU, LSTM and their cells
    node = layouts.to_onnx(layer, weights)               # node.op, node.W, node.R, node.B, node.attributes
    layer, weights = layouts.from_onnx("LSTM", W, R, B, **attributes)
    variables = layouts.to_tf1(layer, weights)           # {"kernel": ..., "bias": ...}
    layer, weights = layouts.from_tf1("LSTM", variables)

*Weights* are a list in Keras's order, what ``layer.get_weights()`` returns, for one layer or for several. The functions
need NumPy alone, and take the tensors of other frameworks too. A mapping only moves numbers, with three exceptions that
round once: two biases that are added, and the forget bias of TensorFlow 1. What a framework cannot compute is refused
with a message that says why (:class:`NoSuchLayer`); of a port that meets that in a case, the case is declined.

:data:`ORDERS` says how frameworks order the gates, and :func:`reorder` moves one weight from an order to another.
"""

from .common import ORDERS, NoSuchLayer, reorder
from .onnx import OnnxNode, from_onnx, to_onnx
from .pytorch import from_torch, to_torch
from .tensorflow1 import from_tf1, to_tf1

__all__ = [
    "ORDERS",
    "NoSuchLayer",
    "OnnxNode",
    "from_onnx",
    "from_tf1",
    "from_torch",
    "reorder",
    "to_onnx",
    "to_tf1",
    "to_torch",
]

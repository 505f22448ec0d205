"""PyTorch's `nn.RNN`, `nn.GRU` and `nn.LSTM` with Keras's weights."""

import torch

from pytest_rnnequiv import Supports, Trajectory, layouts
from pytest_rnnequiv.cells import GRUCell, LSTMCell, SimpleRNNCell

MODULES = {"SimpleRNN": torch.nn.RNN, "GRU": torch.nn.GRU, "LSTM": torch.nn.LSTM}


def tensors(arrays):
    return {name: torch.from_numpy(array) for name, array in arrays.items()}


class TorchPort:
    name = "torch"
    precision = "float32"
    #: The cells with the options that PyTorch has: sigmoid gates, and the reset gate after the product.
    supports = Supports(cells=(SimpleRNNCell(), GRUCell(reset_after=True), LSTMCell()))

    def versions(self):
        return {"torch": torch.__version__}

    def load(self, rnn, case):
        rnn.load_state_dict(tensors(layouts.to_torch(case.spec, case.weights)))

    @torch.no_grad()
    def run(self, case):
        rnn = MODULES[case.spec.cell.name](case.D, case.M, batch_first=True)
        self.load(rnn, case)
        head = torch.nn.Linear(case.M, case.K)
        head.load_state_dict(tensors({"weight": case.Wo.T, "bias": case.bo}))
        states, _ = rnn(torch.from_numpy(case.x))
        return Trajectory(outputs=head(states), states=states)


class BothBiases(TorchPort):
    """The mistake that everybody makes once: Keras's one bias, loaded into both of PyTorch's."""

    name = "torch, both biases"
    supports = Supports(cells=(SimpleRNNCell(), LSTMCell()))

    def load(self, rnn, case):
        super().load(rnn, case)
        rnn.bias_hh_l0.copy_(rnn.bias_ih_l0)


class GatesAsTheyAre(TorchPort):
    """The next one: Keras's z, r, h, copied to where PyTorch has r, z, n."""

    name = "torch, gates as they are"
    supports = Supports(cells=(GRUCell(),))

    def load(self, rnn, case):
        weights = (case.Wx.T, case.Wh.T, *case.bh)
        rnn.load_state_dict(tensors(dict(zip(rnn.state_dict(), weights, strict=True))))

"""PyTorch's `nn.RNN` with Keras's weights: transposed, and with a second bias that Keras does not have."""

import torch

from pytest_rnnequiv import Trajectory


class TorchPort:
    name = "torch"
    precision = "float32"

    def versions(self):
        return {"torch": torch.__version__}

    @torch.no_grad()
    def run(self, case):
        rnn = torch.nn.RNN(case.D, case.M, batch_first=True)
        rnn.weight_ih_l0.copy_(torch.from_numpy(case.Wx.T))
        rnn.weight_hh_l0.copy_(torch.from_numpy(case.Wh.T))
        rnn.bias_ih_l0.copy_(torch.from_numpy(case.bh))
        rnn.bias_hh_l0.zero_()
        head = torch.nn.Linear(case.M, case.K)
        head.weight.copy_(torch.from_numpy(case.Wo.T))
        head.bias.copy_(torch.from_numpy(case.bo))
        states, _ = rnn(torch.from_numpy(case.x))
        return Trajectory(outputs=head(states), states=states)


class BothBiases(TorchPort):
    """The mistake that everybody makes once."""

    name = "torch, both biases"

    @torch.no_grad()
    def run(self, case):
        return super().run(case.replace(bh=2 * case.bh).writable())

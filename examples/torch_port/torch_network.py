"""Networks of PyTorch's layers with Keras's weights: stacks, both ways, words, rows of several lengths, heads."""

import torch
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from pytest_rnnequiv import Bidirectional, ShownLayer, Supports, Trajectory, layouts
from pytest_rnnequiv.cells import GRUCell, LSTMCell, SimpleRNNCell

MODULES = {"SimpleRNN": torch.nn.RNN, "GRU": torch.nn.GRU, "LSTM": torch.nn.LSTM}
ACTIVATIONS = {"linear": lambda a: a, "relu": torch.relu, "softmax": lambda a: torch.softmax(a, -1)}


class TorchNetwork:
    name = "torch network"
    precision = "float32"
    supports = Supports(
        cells=(SimpleRNNCell(), GRUCell(), LSTMCell(), LSTMCell(projection=2)),
        options=(
            *("layers", "bidirectional", "return_sequences", "use_bias", "head", "hidden", "projection"),
            *("mask", "embedding", "zero_output_for_mask"),
        ),
        merge_modes=("concat", "sum"),
        head_activations=("relu", "softmax"),
        lengths=1,  # a packed sequence has no rows of length 0
    )

    def versions(self):
        return {"torch": torch.__version__}

    def accepts(self, case):
        return all(way.features < way.cells[0] for way in case.spec.directions if way.kinds[0].beyond)

    @torch.no_grad()
    def run(self, case):
        (call,) = case.calls
        x, mask = case.inputs(call)
        y, shown = torch.tensor(x), []
        for i, layer in enumerate(case.spec.layers):
            y = self.layer(layer, self.module(case, i), y, torch.tensor(mask.sum(1)))
            shown.append(ShownLayer(y.numpy()))
        for part, dense in case.spec.dense.items():
            Wo, bo = map(torch.tensor, case.head_weights(part=part))
            y = ACTIVATIONS[dense.activation.name](y @ Wo + bo)
        return Trajectory(y.numpy(), layers=tuple(shown))

    def module(self, case, i):
        weights = case.part(f"layer{i}")
        way = case.spec.layers[i].directions[0]
        made = MODULES[way.kinds[0].name]
        own = {"proj_size": way.features} if way.kinds[0].beyond else {}
        state = layouts.to_torch(case.spec.layers[i], weights.values())
        features, both = len(next(iter(weights.values()))), isinstance(case.spec.layers[i], Bidirectional)
        module = made(features, way.cells[0], batch_first=True, bidirectional=both, bias=way.use_bias, **own)
        module.load_state_dict({name: torch.from_numpy(array) for name, array in state.items()})
        return module

    def layer(self, layer, module, x, lengths):
        packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        every, final = module(packed)
        every, _ = pad_packed_sequence(every, batch_first=True, total_length=x.shape[1])
        last = final[0] if isinstance(final, tuple) else final  # of each row, where it ends
        ways = every.chunk(len(last), -1) if layer.return_sequences else last
        return sum(ways) if getattr(layer, "merge_mode", "") == "sum" else torch.cat(tuple(ways), -1)

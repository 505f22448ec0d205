"""A model of PyTorch's made into one of Keras's."""

import keras
import torch

from pytest_rnnequiv import Dense, Spec, layouts


class Tagger(torch.nn.Module):
    """What there was: two bidirectional layers of LSTM or GRU, and a head on every step."""

    def __init__(self, kind):
        super().__init__()
        self.rnn = kind(3, 8, num_layers=2, bidirectional=True, batch_first=True)
        self.head = torch.nn.Linear(16, 2)

    def forward(self, x):
        return self.head(self.rnn(x)[0])


def read(tagger):
    """Return its architecture, and its weights in Keras's order."""
    layers, weights = layouts.from_torch(tagger.state_dict(), prefix="rnn.")
    head = tagger.head.weight.detach().numpy().T, tagger.head.bias.detach().numpy()
    return Spec(3, layers, Dense(2)), [*weights, *head]


def to_keras(tagger):
    """Return Keras's model with the same weights."""
    layer = getattr(keras.layers, type(tagger.rnn).__name__)
    model = keras.Sequential(
        [
            keras.Input((None, 3)),
            keras.layers.Bidirectional(layer(8, return_sequences=True)),
            keras.layers.Bidirectional(layer(8, return_sequences=True)),
            keras.layers.Dense(2),
        ]
    )
    _, weights = read(tagger)
    model.set_weights(weights)
    return model

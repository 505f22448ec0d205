"""The checkpoint's numbers as the weights of a Keras model."""

import tensorflow as tf
from old_model import CHECKPOINT

from pytest_rnnequiv import Dense, Spec, layouts


def read(file=CHECKPOINT / "model.ckpt"):
    """Return the variables by name."""
    reader = tf.train.load_checkpoint(str(file))
    return {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}


def convert(variables, forget_bias=1.0):
    """Return the architecture, and the weights in Keras's order."""
    layer, weights = layouts.from_tf1("LSTM", variables, forget_bias=forget_bias)
    head = variables["dense/kernel"], variables["dense/bias"]
    return Spec(3, layer, Dense(len(head[1]))), [*weights, *head]


def keras_model(variables):
    import keras

    spec, weights = convert(variables)
    layers = keras.layers.LSTM(spec.layers[0].units, return_sequences=True), keras.layers.Dense(spec.K)
    model = keras.Sequential([keras.Input((None, spec.D)), *layers])
    model.set_weights(weights)
    return model

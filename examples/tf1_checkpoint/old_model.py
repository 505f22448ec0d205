"""The model of TensorFlow 1: how it was trained and saved, and how it computed.

python old_model.py writes checkpoint/ anew.
"""

from pathlib import Path

import numpy as np

CHECKPOINT = Path(__file__).parent / "checkpoint"
D, M, K = 3, 6, 2


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def basic_lstm_cell(x, c, h, kernel, bias, forget_bias=1.0):
    """What `tf.nn.rnn_cell.BasicLSTMCell(M)` computes in one step, line by line."""
    i, j, f, o = np.split(np.concatenate([x, h], axis=1) @ kernel + bias, 4, axis=1)
    c = c * sigmoid(f + forget_bias) + sigmoid(i) * np.tanh(j)
    return c, np.tanh(c) * sigmoid(o)


def predict(variables, x):
    """What `tf.layers.dense(tf.nn.dynamic_rnn(cell, x)[0], K)` computes, and the states."""
    c = h = np.zeros((len(x), M), np.float32)
    states = []
    for t in range(x.shape[1]):
        kernel, bias = (variables[f"rnn/basic_lstm_cell/{name}"] for name in ("kernel", "bias"))
        c, h = basic_lstm_cell(x[:, t], c, h, kernel, bias, np.float32(1))
        states.append(h)
    states = np.stack(states, axis=1)
    return states @ variables["dense/kernel"] + variables["dense/bias"], states


def save():
    """Write a checkpoint as TensorFlow 1 does. Training is left out: random numbers do as well."""
    import tensorflow as tf

    rng = np.random.default_rng(1)
    shapes = {
        "rnn/basic_lstm_cell/kernel": (D + M, 4 * M),
        "rnn/basic_lstm_cell/bias": (4 * M,),
        "dense/kernel": (M, K),
        "dense/bias": (K,),
    }
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        variables = [
            tf.compat.v1.get_variable(name, initializer=rng.standard_normal(shape).astype(np.float32))
            for name, shape in shapes.items()
        ]
        session.run(tf.compat.v1.global_variables_initializer())
        saver = tf.compat.v1.train.Saver(variables, save_relative_paths=True)
        saver.save(session, str(CHECKPOINT / "model.ckpt"), write_meta_graph=False)


if __name__ == "__main__":
    save()

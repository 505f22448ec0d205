// SimpleRNN and LSTM, with a dense head: one case a line in, one answer a line out.
const readline = require("readline");

const dot = (x, W, j) => x.reduce((sum, value, i) => sum + value * W[i][j], 0);
const sigmoid = (a) => 1 / (1 + Math.exp(-a));

function steps(cell, M, x, Wx, Wh, bh) {
  let h = Array(M).fill(0), c = Array(M).fill(0);
  return x.map((xt) => {
    const a = bh.map((bias, j) => dot(xt, Wx, j) + dot(h, Wh, j) + bias);
    if (cell === "LSTM") {
      const gate = (k, j) => a[k * M + j]; // in the order of Keras: i, f, c, o
      c = c.map((old, j) => sigmoid(gate(1, j)) * old + sigmoid(gate(0, j)) * Math.tanh(gate(2, j)));
      h = c.map((now, j) => sigmoid(gate(3, j)) * Math.tanh(now));
    } else {
      h = a.map(Math.tanh);
    }
    return h;
  });
}

readline.createInterface({ input: process.stdin }).on("line", (line) => {
  const { cell, M, x, Wx, Wh, bh, Wo, bo } = JSON.parse(line);
  const states = x.map((sample) => steps(cell, M, sample, Wx, Wh, bh));
  const outputs = states.map((sample) => sample.map((h) => bo.map((bias, k) => dot(h, Wo, k) + bias)));
  console.log(JSON.stringify({ outputs, states }));
});

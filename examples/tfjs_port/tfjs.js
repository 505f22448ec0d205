// The layers of TensorFlow.js, on its plain JavaScript backend: one case a line in, one answer a line out.
const readline = require("readline");
const tf = require("@tensorflow/tfjs");

const { input, layers, model } = tf;
const LAYERS = { SimpleRNN: layers.simpleRNN, GRU: layers.gru, LSTM: layers.lstm };
const made = new Map();

function build({ cell, D, M, K, activation, head_activation, recurrent_activation, h0 }) {
  const key = JSON.stringify([cell, D, M, K, activation, head_activation, recurrent_activation, h0 !== undefined]);
  if (!made.has(key)) {
    const x = input({ shape: [null, D] });
    const given = h0 === undefined ? [] : Array.from({ length: cell === "LSTM" ? 2 : 1 }, () => input({ shape: [M] }));
    // its weights are set; to draw an orthogonal matrix of 257 units takes it longer than all cases
    const options = { units: M, activation, returnSequences: true, recurrentInitializer: "zeros" };
    if (cell !== "SimpleRNN") options.recurrentActivation = recurrent_activation; // its default is hardSigmoid
    const layer = LAYERS[cell](options);
    const states = given.length ? layer.apply(x, { initialState: given }) : layer.apply(x);
    const head = layers.timeDistributed({ layer: layers.dense({ units: K, activation: head_activation }) });
    const whole = model({ inputs: [x, ...given], outputs: [head.apply(states), states] });
    made.set(key, { whole, layer, head });
  }
  return made.get(key);
}

const numbers = (value) => (Array.isArray(value) ? value.map(numbers) : Number(value));
const said = (value) => (Array.isArray(value) ? value.map(said) : Number.isFinite(value) ? value : String(value));

readline.createInterface({ input: process.stdin }).on("line", (line) => {
  const one = JSON.parse(line);
  const { whole, layer, head } = build(one);
  const answer = tf.tidy(() => {
    const tensors = (...names) => names.map((name) => tf.tensor(numbers(one[name])));
    layer.setWeights(tensors("Wx", "Wh", "bh"));
    head.setWeights(tensors("Wo", "bo"));
    const given = [tf.tensor3d(numbers(one.x), [one.N, one.T, one.D])];
    for (const name of ["h0", "c0"]) if (one[name] !== undefined) given.push(tf.tensor2d(numbers(one[name])));
    const [outputs, states] = whole.predict(given.length > 1 ? given : given[0]);
    return { outputs: said(outputs.arraySync()), states: said(states.arraySync()) };
  });
  console.log(JSON.stringify(answer));
});

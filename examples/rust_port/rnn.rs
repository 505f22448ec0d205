// A SimpleRNN with a dense head: "N T D M K x Wx Wh bh Wo bo" in on one line, the last outputs out on one line.
use std::io::{stdin, stdout, BufRead, Write};

fn main() {
    for line in stdin().lock().lines() {
        let line = line.unwrap();
        let mut words = line.split_whitespace();
        let size: Vec<usize> = words.by_ref().take(5).map(|word| word.parse().unwrap()).collect();
        let (n, t, d, m, k) = (size[0], size[1], size[2], size[3], size[4]);
        let mut take = |count: usize| -> Vec<f32> { words.by_ref().take(count).map(|word| word.parse().unwrap()).collect() };
        let x = take(n * t * d);
        let (wx, wh, bh, wo, bo) = (take(d * m), take(m * m), take(m), take(m * k), take(k));

        let mut answer: Vec<String> = Vec::new();
        for sample in x.chunks(t * d) {
            let mut h = vec![0f32; m];
            for xt in sample.chunks(d) {
                h = (0..m)
                    .map(|j| {
                        let inputs: f32 = (0..d).map(|i| xt[i] * wx[i * m + j]).sum();
                        let state: f32 = (0..m).map(|i| h[i] * wh[i * m + j]).sum();
                        (inputs + state + bh[j]).tanh()
                    })
                    .collect();
            }
            answer.extend((0..k).map(|j| ((0..m).map(|i| h[i] * wo[i * k + j]).sum::<f32>() + bo[j]).to_string()));
        }
        println!("{}", answer.join(" "));
        stdout().flush().unwrap();
    }
}

/* LSTM -> Dense in float32: as rnn.c, with four gates. The blocks of the weights are i, f, c, o, as Keras has them.
 * Row-major arrays: x[T][D], Wx[D][4M], Wh[M][4M], bh[4M], Wo[M][K], bo[K], y[K]; scratch[6*M]. One sample. */
#include <math.h>

#ifndef BLOCKS
#define BLOCKS {0, 1, 2, 3} /* where i, f, c, o are */
#endif

static float sigmoid(float a) { return 1.0f / (1.0f + expf(-a)); }

void lstm_forward(int T, int D, int M, int K, const float *x, const float *Wx, const float *Wh, const float *bh,
                  const float *Wo, const float *bo, float *scratch, float *y) {
    static const int block[4] = BLOCKS;
    float *h = scratch, *c = scratch + M, *a = scratch + 2 * M;
    const float *i = a + block[0] * M, *f = a + block[1] * M, *g = a + block[2] * M, *o = a + block[3] * M;
    for (int j = 0; j < 2 * M; ++j) scratch[j] = 0.0f;
    for (int t = 0; t < T; ++t) {
        for (int j = 0; j < 4 * M; ++j) {
            a[j] = bh[j];
            for (int k = 0; k < D; ++k) a[j] += x[t * D + k] * Wx[k * 4 * M + j];
            for (int k = 0; k < M; ++k) a[j] += h[k] * Wh[k * 4 * M + j];
        }
        for (int j = 0; j < M; ++j) {
            c[j] = sigmoid(f[j]) * c[j] + sigmoid(i[j]) * tanhf(g[j]);
            h[j] = sigmoid(o[j]) * tanhf(c[j]);
        }
    }
    for (int k = 0; k < K; ++k) {
        y[k] = bo[k];
        for (int j = 0; j < M; ++j) y[k] += h[j] * Wo[j * K + k];
    }
}

/* SimpleRNN -> Dense in float32, with sequential sums: what one writes for a microcontroller.
 * Row-major arrays: x[T][D], Wx[D][M], Wh[M][M], bh[M], Wo[M][K], bo[K], y[K]; scratch[2*M]. One sample. */
#include <math.h>

#ifdef FAST_TANH
/* Lambert's continued fraction, clipped where it reaches 1: within 1e-4 of tanh. */
static float activate(float a) {
    if (a > 4.97f) return 1.0f;
    if (a < -4.97f) return -1.0f;
    const float s = a * a;
    return a * (135135.0f + s * (17325.0f + s * (378.0f + s))) / (135135.0f + s * (62370.0f + s * (3150.0f + s * 28.0f)));
}
#else
static float activate(float a) { return tanhf(a); }
#endif

void rnn_forward(int T, int D, int M, int K, const float *x, const float *Wx, const float *Wh, const float *bh,
                 const float *Wo, const float *bo, float *scratch, float *y) {
    float *h = scratch, *next = scratch + M;
    for (int j = 0; j < M; ++j) h[j] = 0.0f;
    for (int t = 0; t < T; ++t) {
        for (int j = 0; j < M; ++j) {
            float a = bh[j];
            for (int i = 0; i < D; ++i) a += x[t * D + i] * Wx[i * M + j];
            for (int i = 0; i < M; ++i) a += h[i] * Wh[i * M + j];
            next[j] = activate(a);
        }
        float *old = h;
        h = next;
        next = old;
    }
    for (int k = 0; k < K; ++k) {
        y[k] = bo[k];
        for (int i = 0; i < M; ++i) y[k] += h[i] * Wo[i * K + k];
    }
}

/* SimpleRNN -> Dense in fixed point, for a machine without floats. Inputs and weights are Q3.12 (multiples of 2^-12 in
 * [-8, 8)), states Q0.15 (multiples of 2^-15), sums Q27 in ACC. Shows the state of every step: h[T][M], y[T][K] in Q27. */
#include <math.h>
#include <stdint.h>

#ifndef ACC
#define ACC int64_t
#endif

static int16_t table[1026]; /* tanh from 0 to 8 in steps of 2^-7 */

void rnn_init(void) {
    for (int i = 0; i < 1026; ++i) {
        const double v = floor(tanh(i / 128.0) * 32768 + 0.5);
        table[i] = (int16_t)(v > 32767 ? 32767 : v);
    }
}

/* The table with linear interpolation. Off by at most 2^-16 (entries) + 6e-6 (line) + 2^-15 (cut): less than 2^-14. */
static int16_t activate(int64_t a) {
    const int64_t m = a < 0 ? -a : a;
    if (m >= (int64_t)8 << 27) return a < 0 ? -32767 : 32767;
    const int i = (int)(m >> 20);
    const int v = table[i] + (int)(((table[i + 1] - table[i]) * (m & 0xFFFFF)) >> 20);
    return (int16_t)(a < 0 ? -v : v);
}

void rnn_forward(int T, int D, int M, int K, const int16_t *x, const int16_t *Wx, const int16_t *Wh, const int16_t *bh,
                 const int16_t *Wo, const int16_t *bo, int16_t *h, int64_t *y) {
    for (int t = 0; t < T; ++t, x += D, h += M, y += K) {
        for (int j = 0; j < M; ++j) {
            ACC a = (ACC)bh[j] * (1 << 15);
            for (int i = 0; i < D; ++i) a += (ACC)x[i] * Wx[i * M + j] * (1 << 3);
            for (int i = 0; t > 0 && i < M; ++i) a += (ACC)h[i - M] * Wh[i * M + j];
            h[j] = activate(a);
        }
        for (int k = 0; k < K; ++k) {
            y[k] = (int64_t)bo[k] * (1 << 15);
            for (int i = 0; i < M; ++i) y[k] += (int64_t)h[i] * Wo[i * K + k];
        }
    }
}

/* SimpleRNN with a dense head as a command-line program: one case a line in, its outputs on one line out. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static float *array(int size) {
    float *a = malloc((size + 1) * sizeof *a);
    for (int i = 0; i < size; ++i) {
        if (scanf("%f", &a[i]) != 1) exit(1);
    }
    return a;
}

int main(void) {
    int N, T, D, M, K;
    while (scanf("%d %d %d %d %d", &N, &T, &D, &M, &K) == 5) {
        float *x = array(N * T * D);
        float *Wx = array(D * M), *Wh = array(M * M), *bh = array(M), *Wo = array(M * K), *bo = array(K);
        float *h = malloc(M * sizeof *h), *next = malloc(M * sizeof *next);
        for (int n = 0; n < N; ++n) {
            for (int j = 0; j < M; ++j) h[j] = 0;
            for (int t = 0; t < T; ++t) {
                for (int j = 0; j < M; ++j) {
                    float a = bh[j];
                    for (int i = 0; i < D; ++i) a += x[(n * T + t) * D + i] * Wx[i * M + j];
                    for (int i = 0; i < M; ++i) a += h[i] * Wh[i * M + j];
                    next[j] = tanhf(a);
                }
                float *old = h;
                h = next;
                next = old;
            }
            for (int k = 0; k < K; ++k) {
                float y = bo[k];
                for (int j = 0; j < M; ++j) y += h[j] * Wo[j * K + k];
                printf("%.9g ", y);
            }
        }
        printf("\n");
        fflush(stdout); /* or the answer waits in a buffer, and so does whoever asked */
        free(x), free(Wx), free(Wh), free(bh), free(Wo), free(bo), free(h), free(next);
    }
    return 0;
}

/* M/M/c with a deterministic patience, first come first served, as plainly as C can: no events, a heap of the servers' free times,
 * one histogram. Prints CPU seconds, share that left, and mean wait of those served.
 *
 *     plain_loop REQUESTS SERVERS RATE SERVICE PATIENCE SEED
 */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static uint64_t state[4];

static inline uint64_t rotated(uint64_t x, int k) { return (x << k) | (x >> (64 - k)); }

static inline uint64_t following(void) { /* xoshiro256++ */
    uint64_t result = rotated(state[0] + state[3], 23) + state[0], t = state[1] << 17;
    state[2] ^= state[0];
    state[3] ^= state[1];
    state[1] ^= state[2];
    state[0] ^= state[3];
    state[2] ^= t;
    state[3] = rotated(state[3], 45);
    return result;
}

static double edge[257], height[257];

static void make_ziggurat(void) {
    const double area = 0.0039496598225815571993, right = 7.69711747013104972;
    edge[256] = area / exp(-right);
    edge[255] = right;
    height[255] = exp(-right);
    for (int i = 254; i > 0; i--) {
        edge[i] = -log(area / edge[i + 1] + exp(-edge[i + 1]));
        height[i] = exp(-edge[i]);
    }
    edge[0] = 0;
    height[0] = 1;
}

static inline double exponential(void) {
    for (;;) {
        uint64_t bits = following();
        int i = (int)(bits & 255) + 1;
        double x = (double)(bits >> 11) * 0x1p-53 * edge[i];
        if (x < edge[i - 1]) return x;
        if (i == 256) return edge[255] - log(((double)(following() >> 11) + 0.5) * 0x1p-53);
        if (height[i] + ((double)(following() >> 11) + 0.5) * 0x1p-53 * (height[i - 1] - height[i]) < exp(-x)) return x;
    }
}

int main(int count, char **given) {
    if (count != 7) return 2;
    long requests = atol(given[1]);
    int servers = atoi(given[2]);
    double gap = 1 / atof(given[3]), service = atof(given[4]), patience = atof(given[5]);
    static uint64_t histogram[2048];
    double *free_at = calloc((size_t)servers, sizeof *free_at), now = 0, waited = 0;
    long left = 0;
    for (uint64_t i = 0, x = (uint64_t)atol(given[6]); i < 4; i++) {
        uint64_t z = (x += 0x9E3779B97F4A7C15u);
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
        state[i] = z ^ (z >> 31);
    }
    make_ziggurat();
    clock_t began = clock();
    for (long k = 0; k < requests; k++) {
        now += exponential() * gap;
        double start = free_at[0] > now ? free_at[0] : now;
        if (start - now > patience) {
            left++;
            continue;
        }
        waited += start - now;
        double end = start + exponential() * service;
        int i = 0;
        for (;;) {
            int j = 2 * i + 1;
            if (j >= servers) break;
            j += j + 1 < servers && free_at[j + 1] < free_at[j];
            if (free_at[j] >= end) break;
            free_at[i] = free_at[j];
            i = j;
        }
        free_at[i] = end;
        double latency = end - now;
        uint64_t bits;
        memcpy(&bits, &latency, 8);
        int bucket = (int)(bits >> 47) - ((1023 - 30) << 5);
        histogram[bucket < 0 ? 0 : bucket > 2047 ? 2047 : bucket]++;
    }
    double seconds = (double)(clock() - began) / CLOCKS_PER_SEC;
    printf("%.6f %.8f %.8f %llu\n", seconds, (double)left / (double)requests, waited / (double)(requests - left),
           (unsigned long long)histogram[1000]);
    free(free_at);
    return 0;
}

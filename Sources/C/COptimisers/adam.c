#include "COptimisers.h"

#include <math.h>

#include "CParallel.h"

#define HOT __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))

typedef struct {
    float *restrict parameters;
    const float *restrict gradients;
    float *restrict first;
    float *restrict second;
    float keep_first;        // 1 - beta1: how much of the new gradient the first moment takes
    float beta2, keep_second;
    float step_size;         // learning_rate / (1 - beta1^t)
    float root_correction;   // sqrt(1 - beta2^t)
    float epsilon;
} Adam;

HOT static void adam_range(
    float *restrict parameters, const float *restrict gradients, float *restrict first, float *restrict second,
    Adam c, ptrdiff_t count) {
    for (ptrdiff_t i = 0; i < count; ++i) {
        const float gradient = gradients[i];
        const float m = first[i] + c.keep_first * (gradient - first[i]);
        const float v = c.beta2 * second[i] + c.keep_second * gradient * gradient;
        first[i] = m;
        second[i] = v;
        parameters[i] -= c.step_size * (m / (sqrtf(v) / c.root_correction + c.epsilon));
    }
}

static void adam_part(void *context, int part, ptrdiff_t begin, ptrdiff_t end) {
    (void)part;
    const Adam *adam = context;
    adam_range(
        adam->parameters + begin, adam->gradients + begin, adam->first + begin, adam->second + begin, *adam,
        end - begin);
}

void dkp_adam_step(
    float *parameters, const float *gradients, float *first_moments, float *second_moments, ptrdiff_t count,
    double learning_rate, double beta1, double beta2, double epsilon, int64_t step) {
    // The scalars are worked out in double precision and rounded once, as the reference does.
    Adam adam = {
        .parameters = parameters,
        .gradients = gradients,
        .first = first_moments,
        .second = second_moments,
        .keep_first = (float)(1 - beta1),
        .beta2 = (float)beta2,
        .keep_second = (float)(1 - beta2),
        .step_size = (float)(learning_rate / (1 - pow(beta1, (double)step))),
        .root_correction = (float)sqrt(1 - pow(beta2, (double)step)),
        .epsilon = (float)epsilon,
    };
    dkp_parallel_for(count, 32768, adam_part, &adam);
}

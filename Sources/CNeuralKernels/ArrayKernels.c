#include <math.h>
#include <string.h>

#include "BFloat16.h"
#include "CNeuralKernels.h"
#include "CParallel.h"

#define KERNEL static __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))

enum { ARRAY_GRAIN = 16384 };

typedef struct {
    void *target;
    const void *source;
} Arrays;

KERNEL void accumulate_f32(void *context, int share, ptrdiff_t begin, ptrdiff_t end) {
    (void)share;
    float *restrict target = ((Arrays *)context)->target;
    const float *restrict source = ((Arrays *)context)->source;
    for (ptrdiff_t i = begin; i < end; i++) target[i] += source[i];
}

KERNEL void accumulate_bf16(void *context, int share, ptrdiff_t begin, ptrdiff_t end) {
    (void)share;
    uint16_t *restrict target = ((Arrays *)context)->target;
    const uint16_t *restrict source = ((Arrays *)context)->source;
    for (ptrdiff_t i = begin; i < end; i++) target[i] = round_to_bf16(widen_bf16(target[i]) + widen_bf16(source[i]));
}

KERNEL void convert_to_f32(void *context, int share, ptrdiff_t begin, ptrdiff_t end) {
    (void)share;
    float *restrict target = ((Arrays *)context)->target;
    const uint16_t *restrict source = ((Arrays *)context)->source;
    for (ptrdiff_t i = begin; i < end; i++) target[i] = widen_bf16(source[i]);
}

KERNEL void convert_to_bf16(void *context, int share, ptrdiff_t begin, ptrdiff_t end) {
    (void)share;
    uint16_t *restrict target = ((Arrays *)context)->target;
    const float *restrict source = ((Arrays *)context)->source;
    for (ptrdiff_t i = begin; i < end; i++) target[i] = round_to_bf16(source[i]);
}

KERNEL void round_values(void *context, int share, ptrdiff_t begin, ptrdiff_t end) {
    (void)share;
    float *restrict target = ((Arrays *)context)->target;
    const float *restrict source = ((Arrays *)context)->source;
    for (ptrdiff_t i = begin; i < end; i++) target[i] = widen_bf16(round_to_bf16(source[i]));
}

static void run(dkp_range_body body, void *target, const void *source, size_t count) {
    Arrays arrays = {target, source};
    dkp_parallel_for((ptrdiff_t)count, ARRAY_GRAIN, body, &arrays);
}

void dkp_accumulate(void *target, const void *source, size_t count, dkp_scalar scalar) {
    run(scalar == DKP_F32 ? accumulate_f32 : accumulate_bf16, target, source, count);
}

void dkp_convert_to_f32(const uint16_t *source, float *target, size_t count) {
    run(convert_to_f32, target, source, count);
}

void dkp_convert_to_bf16(const float *source, uint16_t *target, size_t count) {
    run(convert_to_bf16, target, source, count);
}

void dkp_round_to_bf16(const float *source, float *target, size_t count) {
    run(round_values, target, source, count);
}

typedef struct {
    const float *x, *dy;
    float *y;
} Activation;

KERNEL void sigmoid(void *context, int share, ptrdiff_t begin, ptrdiff_t end) {
    (void)share;
    const Activation *a = context;
    for (ptrdiff_t i = begin; i < end; i++) a->y[i] = 1.0f / (1.0f + expf(-a->x[i]));
}

KERNEL void sigmoid_backward(void *context, int share, ptrdiff_t begin, ptrdiff_t end) {
    (void)share;
    const Activation *a = context;
    for (ptrdiff_t i = begin; i < end; i++) a->y[i] = a->dy[i] * a->x[i] * (1.0f - a->x[i]);
}

void dkp_array_activation(const float *x, float *y, size_t count, dkp_activation_kind kind) {
    Activation activation = {x, NULL, y};
    if (kind == DKP_SIGMOID)
        dkp_parallel_for((ptrdiff_t)count, ARRAY_GRAIN, sigmoid, &activation);
    else if (x != y)
        memcpy(y, x, count * sizeof *y);
}

void dkp_array_activation_backward(
    const float *y, const float *dy, float *dx, size_t count, dkp_activation_kind kind) {
    Activation activation = {y, dy, dx};
    if (kind == DKP_SIGMOID)
        dkp_parallel_for((ptrdiff_t)count, ARRAY_GRAIN, sigmoid_backward, &activation);
    else if (dx != dy)
        memcpy(dx, dy, count * sizeof *dx);
}

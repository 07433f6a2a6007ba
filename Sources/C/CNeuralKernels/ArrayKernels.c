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

KERNEL void accumulate_f32(void *context, int part, ptrdiff_t begin, ptrdiff_t end) {
    (void)part;
    float *restrict target = ((Arrays *)context)->target;
    const float *restrict source = ((Arrays *)context)->source;
    for (ptrdiff_t i = begin; i < end; i++) target[i] += source[i];
}

KERNEL void accumulate_bf16(void *context, int part, ptrdiff_t begin, ptrdiff_t end) {
    (void)part;
    uint16_t *restrict target = ((Arrays *)context)->target;
    const uint16_t *restrict source = ((Arrays *)context)->source;
    for (ptrdiff_t i = begin; i < end; i++) target[i] = round_to_bf16(widen_bf16(target[i]) + widen_bf16(source[i]));
}

KERNEL void convert_to_f32(void *context, int part, ptrdiff_t begin, ptrdiff_t end) {
    (void)part;
    float *restrict target = ((Arrays *)context)->target;
    const uint16_t *restrict source = ((Arrays *)context)->source;
    for (ptrdiff_t i = begin; i < end; i++) target[i] = widen_bf16(source[i]);
}

KERNEL void convert_to_bf16(void *context, int part, ptrdiff_t begin, ptrdiff_t end) {
    (void)part;
    uint16_t *restrict target = ((Arrays *)context)->target;
    const float *restrict source = ((Arrays *)context)->source;
    for (ptrdiff_t i = begin; i < end; i++) target[i] = round_to_bf16(source[i]);
}

KERNEL void round_values(void *context, int part, ptrdiff_t begin, ptrdiff_t end) {
    (void)part;
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

KERNEL void sigmoid(void *context, int part, ptrdiff_t begin, ptrdiff_t end) {
    (void)part;
    const Activation *a = context;
    for (ptrdiff_t i = begin; i < end; i++) a->y[i] = 1.0f / (1.0f + expf(-a->x[i]));
}

KERNEL void sigmoid_backward(void *context, int part, ptrdiff_t begin, ptrdiff_t end) {
    (void)part;
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

typedef struct {
    const void *matrix;
    dkp_scalar scalar;
    int columns;
    const float *x, *bias, *addend;
    float *y;
} Linear;

typedef float Eight __attribute__((vector_size(32), aligned(4)));
typedef uint32_t EightBits __attribute__((vector_size(32), aligned(4)));
typedef uint16_t EightHalves __attribute__((vector_size(16), aligned(2)));

KERNEL void linear(void *context, int part, ptrdiff_t begin, ptrdiff_t end) {
    (void)part;
    const Linear *l = context;
    for (ptrdiff_t row = begin; row < end; row++) {
        Eight sums[4] = {{0}};
        int lane = 0;
        for (int column = 0; column < l->columns; column += 8, lane = (lane + 1) & 3) {
            Eight x, w;
            memcpy(&x, l->x + column, sizeof x);
            if (l->scalar == DKP_BF16) {
                EightHalves halves;
                memcpy(&halves, (const uint16_t *)l->matrix + row * l->columns + column, sizeof halves);
                const EightBits bits = __builtin_convertvector(halves, EightBits) << 16;
                memcpy(&w, &bits, sizeof w);
            } else {
                memcpy(&w, (const float *)l->matrix + row * l->columns + column, sizeof w);
            }
            sums[lane] += w * x;
        }
        const Eight total = (sums[0] + sums[1]) + (sums[2] + sums[3]);
        float sum = 0;
        for (int i = 0; i < 8; i++) sum += total[i];
        l->y[row] = sum + l->bias[row] + (l->addend ? l->addend[row] : 0);
    }
}

void dkp_linear(
    const void *matrix, dkp_scalar scalar, int rows, int columns, const float *x, const float *bias,
    const float *addend, float *y) {
    Linear task = {matrix, scalar, columns, x, bias, addend, y};
    dkp_parallel_for(rows, 1 + ARRAY_GRAIN / (columns + 1), linear, &task);
}

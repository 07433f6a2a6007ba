#include <math.h>
#include <string.h>

#include "CKernelPriorKernels.h"
#include "CParallel.h"

#define HOT __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))

typedef float Lanes __attribute__((vector_size(64)));
enum { lanes = 16 };

typedef struct {
    const float *restrict weights;
    const float *restrict bias;
    const float *restrict input;
    float *restrict output;
    ptrdiff_t rows, columns;
} Linear;

// Lane sums are formed explicitly: a compiler may not reorder a float sum by itself.
HOT static void forward_rows(Linear l, ptrdiff_t begin, ptrdiff_t end) {
    for (ptrdiff_t row = begin; row < end; ++row) {
        const float *weights = l.weights + row * l.columns;
        Lanes first = {0}, second = {0};
        ptrdiff_t column = 0;
        for (; column + 2 * lanes <= l.columns; column += 2 * lanes) {
            Lanes w0, w1, x0, x1;
            memcpy(&w0, weights + column, sizeof w0);
            memcpy(&w1, weights + column + lanes, sizeof w1);
            memcpy(&x0, l.input + column, sizeof x0);
            memcpy(&x1, l.input + column + lanes, sizeof x1);
            first += w0 * x0;
            second += w1 * x1;
        }
        first += second;
        double sum = l.bias[row];
        for (int lane = 0; lane < lanes; ++lane) sum += first[lane];
        for (; column < l.columns; ++column) sum += weights[column] * l.input[column];
        l.output[row] = (float)sum;
    }
}

static void forward_share(void *context, int part, ptrdiff_t begin, ptrdiff_t end) {
    (void)part;
    forward_rows(*(const Linear *)context, begin, end);
}

void dkp_linear_forward(
    const float *weights, const float *bias, const float *input, float *output, ptrdiff_t rows, ptrdiff_t columns) {
    Linear linear = {weights, bias, input, output, rows, columns};
    dkp_parallel_for(rows, 1 + 65536 / (columns + 1), forward_share, &linear);
}

// Columns are shared out, rows are summed in order: the sum does not depend on the number of threads.
HOT static void backward_columns(Linear l, ptrdiff_t begin, ptrdiff_t end) {
    float *restrict result = l.output;
    for (ptrdiff_t column = begin; column < end; ++column) result[column] = 0;
    ptrdiff_t row = 0;
    for (; row + 4 <= l.rows; row += 4) {
        const float *w0 = l.weights + row * l.columns, *w1 = w0 + l.columns, *w2 = w1 + l.columns,
                    *w3 = w2 + l.columns;
        const float d0 = l.input[row], d1 = l.input[row + 1], d2 = l.input[row + 2], d3 = l.input[row + 3];
        for (ptrdiff_t column = begin; column < end; ++column)
            result[column] += (d0 * w0[column] + d1 * w1[column]) + (d2 * w2[column] + d3 * w3[column]);
    }
    for (; row < l.rows; ++row)
        for (ptrdiff_t column = begin; column < end; ++column)
            result[column] += l.input[row] * l.weights[row * l.columns + column];
}

static void backward_share(void *context, int part, ptrdiff_t begin, ptrdiff_t end) {
    (void)part;
    backward_columns(*(const Linear *)context, begin, end);
}

void dkp_linear_backward_input(
    const float *weights, const float *output_gradient, float *input_gradient, ptrdiff_t rows, ptrdiff_t columns) {
    Linear linear = {weights, NULL, output_gradient, input_gradient, rows, columns};
    dkp_parallel_for(columns, 1 + 65536 / (rows + 1), backward_share, &linear);
}

typedef struct {
    const float *restrict output_gradient;
    const float *restrict input;
    float *restrict weight_gradients;
    float *restrict bias_gradients;
    ptrdiff_t columns;
} Accumulation;

HOT static void accumulate_rows(Accumulation a, ptrdiff_t begin, ptrdiff_t end) {
    for (ptrdiff_t row = begin; row < end; ++row) {
        float *restrict gradients = a.weight_gradients + row * a.columns;
        const float delta = a.output_gradient[row];
        a.bias_gradients[row] += delta;
        if (delta == 0) continue;
        for (ptrdiff_t column = 0; column < a.columns; ++column) gradients[column] += delta * a.input[column];
    }
}

static void accumulate_share(void *context, int part, ptrdiff_t begin, ptrdiff_t end) {
    (void)part;
    accumulate_rows(*(const Accumulation *)context, begin, end);
}

void dkp_linear_accumulate(
    const float *output_gradient, const float *input, float *weight_gradients, float *bias_gradients, ptrdiff_t rows,
    ptrdiff_t columns) {
    Accumulation accumulation = {output_gradient, input, weight_gradients, bias_gradients, columns};
    dkp_parallel_for(rows, 1 + 65536 / (columns + 1), accumulate_share, &accumulation);
}

HOT void dkp_relu6_forward(const float *input, float *output, ptrdiff_t count) {
    for (ptrdiff_t i = 0; i < count; ++i) {
        const float value = input[i] > 0 ? input[i] : 0;
        output[i] = value < 6 ? value : 6;
    }
}

HOT void dkp_relu6_backward(const float *output, float *gradient, ptrdiff_t count) {
    for (ptrdiff_t i = 0; i < count; ++i) gradient[i] = output[i] > 0 && output[i] < 6 ? gradient[i] : 0;
}

void dkp_softmax_forward(const float *input, float *output, ptrdiff_t count) {
    float largest = -INFINITY;
    for (ptrdiff_t i = 0; i < count; ++i) largest = input[i] > largest ? input[i] : largest;
    double sum = 0;
    for (ptrdiff_t i = 0; i < count; ++i) {
        output[i] = expf(input[i] - largest);
        sum += output[i];
    }
    const float scale = (float)(1 / sum);
    for (ptrdiff_t i = 0; i < count; ++i) output[i] *= scale;
}

void dkp_softmax_backward(
    const float *output, const float *output_gradient, float *input_gradient, ptrdiff_t count) {
    double product = 0;
    for (ptrdiff_t i = 0; i < count; ++i) product += (double)output[i] * output_gradient[i];
    for (ptrdiff_t i = 0; i < count; ++i) input_gradient[i] = output[i] * (output_gradient[i] - (float)product);
}

#include <math.h>

#include "CImagingKernels.h"
#include "CParallel.h"
#include "common.h"

// The normal equations of a weighted fit have no structure to exploit, unlike those of quadratic.c: the windows of all
// samples are gathered in blocks, y as one more column after the taps, and their Gram matrix is added up tile by tile.
// Sums are single precision within a block and double precision beyond it.

enum { BLOCK = 256, TILE_ROWS = 4, TILE_VECTORS = 3 };

typedef struct {
    dkp_degradation_shape shape;
    const float *image, *observed, *weights;
    float *windows;
    double *gram;
    ptrdiff_t samples[BLOCK], count, columns, stride;
} Gram;

static ptrdiff_t gram_columns(const dkp_degradation_shape *shape) {
    return shape->kernel_size * shape->kernel_size + 1;
}

static ptrdiff_t gram_stride(const dkp_degradation_shape *shape) {
    return round_up(gram_columns(shape), TILE_VECTORS * FLOATS);
}

ptrdiff_t dkp_weighted_gram_scratch(const dkp_degradation_shape *shape) { return BLOCK * gram_stride(shape); }

static void gather_windows(void *context, int part, ptrdiff_t begin, ptrdiff_t end) {
    (void)part;
    const Gram *gram = context;
    const dkp_degradation_shape *shape = &gram->shape;
    const ptrdiff_t scale = shape->scale, size = shape->kernel_size, height = shape->height, width = shape->width;
    const ptrdiff_t columns = width / scale, plane = height / scale * columns;
    for (ptrdiff_t index = begin; index < end; index++) {
        const ptrdiff_t sample = gram->samples[index], channel = sample / plane, position = sample % plane;
        const float weight = sqrtf(gram->weights[sample]);
        const ptrdiff_t top = position / columns * scale - size / 2, left = position % columns * scale - size / 2;
        float *window = gram->windows + index * gram->stride;
        memset(window, 0, (size_t)gram->stride * sizeof(float));
        for (ptrdiff_t u = 0; u < size; u++) {
            const float *row = gram->image + (channel * height + wrap(top + u, height)) * width;
            ptrdiff_t column = wrap(left, width);
            for (ptrdiff_t v = 0; v < size; v++) {
                window[u * size + v] = weight * row[column];
                if (++column == width) column = 0;
            }
        }
        window[size * size] = weight * gram->observed[sample];
    }
}

DKP_HOT static void add_rows(void *context, int part, ptrdiff_t begin, ptrdiff_t end) {
    (void)part;
    const Gram *gram = context;
    const ptrdiff_t stride = gram->stride, columns = gram->columns;
    for (ptrdiff_t group = begin; group < end; group++) {
        const ptrdiff_t row = group * TILE_ROWS;
        const ptrdiff_t first = row / (TILE_VECTORS * FLOATS) * (TILE_VECTORS * FLOATS);
        for (ptrdiff_t column = first; column < columns; column += TILE_VECTORS * FLOATS) {
            floats sums[TILE_ROWS][TILE_VECTORS] = {0};
            for (ptrdiff_t sample = 0; sample < gram->count; sample++) {
                const float *window = gram->windows + sample * stride;
                for (int vector = 0; vector < TILE_VECTORS; vector++) {
                    const floats values = DKP_LOAD_FLOATS(window + column + vector * FLOATS);
                    for (int index = 0; index < TILE_ROWS; index++)
                        sums[index][vector] += window[row + index] * values;
                }
            }
            for (int index = 0; index < TILE_ROWS && row + index < columns; index++)
                for (int vector = 0; vector < TILE_VECTORS; vector++)
                    for (int lane = 0; lane < FLOATS; lane++) {
                        const ptrdiff_t other = column + vector * FLOATS + lane;
                        if (other < columns) gram->gram[(row + index) * columns + other] += sums[index][vector][lane];
                    }
        }
    }
}

void dkp_weighted_gram(const dkp_degradation_shape *shape, const float *image, const float *observed,
                       const float *weights, double *gram, float *scratch) {
    Gram build = {.shape = *shape, .image = image, .observed = observed, .weights = weights, .windows = scratch,
                  .gram = gram, .columns = gram_columns(shape), .stride = gram_stride(shape)};
    const ptrdiff_t samples = shape->channels * (shape->height / shape->scale) * (shape->width / shape->scale);
    memset(gram, 0, (size_t)(build.columns * build.columns) * sizeof(double));
    for (ptrdiff_t sample = 0; sample < samples;) {
        for (build.count = 0; sample < samples && build.count < BLOCK; sample++)
            if (weights[sample] > 0) build.samples[build.count++] = sample;
        if (build.count == 0) break;
        dkp_parallel_for(build.count, 32, gather_windows, &build);
        dkp_parallel_for((build.columns + TILE_ROWS - 1) / TILE_ROWS, 8, add_rows, &build);
    }
    for (ptrdiff_t row = 0; row < build.columns; row++)
        for (ptrdiff_t column = 0; column < row; column++)
            gram[row * build.columns + column] = gram[column * build.columns + row];
}

// Down the rows, so that no sum has to be reordered: the matrix is symmetric.
DKP_HOT static void add_products(ptrdiff_t count, const double *matrix, const double *input, double *restrict output) {
    for (ptrdiff_t index = 0; index < count; index++) output[index] = 0;
    for (ptrdiff_t row = 0; row < count; row++) {
        const double factor = input[row];
        if (factor == 0) continue;
        const double *values = matrix + row * count;
        for (ptrdiff_t column = 0; column < count; column++) output[column] += factor * values[column];
    }
}

void dkp_symmetric_product(ptrdiff_t count, const double *matrix, const double *input, double *output) {
    add_products(count, matrix, input, output);
}

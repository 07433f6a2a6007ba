#include "CNeuralKernels.h"

#include <math.h>
#include <string.h>

#include "BFloat16.h"
#include "CParallel.h"

// A fixed number of partial sums per channel block keeps a reduction's result independent of the thread count.
enum { REDUCTION_CHUNKS = 8 };

// Tasks follow memory: blocks are apart in the blocked layout, and side by side where channels come last.
static inline int has_channels_last(const dkp_feature_map *map) { return map->plane_stride == map->block; }

static inline int row_plane(const dkp_feature_map *map, ptrdiff_t task) {
    return (int)(has_channels_last(map) ? task % map->blocks : task / map->height);
}

static inline int row_of(const dkp_feature_map *map, ptrdiff_t task) {
    return (int)(has_channels_last(map) ? task / map->blocks : task % map->height);
}

static inline int chunk_plane(const dkp_feature_map *map, ptrdiff_t task) {
    return (int)(has_channels_last(map) ? task % map->blocks : task / REDUCTION_CHUNKS);
}

static inline int chunk_of(const dkp_feature_map *map, ptrdiff_t task) {
    return (int)(has_channels_last(map) ? task / map->blocks : task % REDUCTION_CHUNKS);
}

static inline int chunk_begin(int height, int chunk) { return (int)((ptrdiff_t)height * chunk / REDUCTION_CHUNKS); }

// Reflection about the edge pixel, clamped for maps narrower than the halo.
static inline int reflect(int index, int size) {
    const int reflected = index < 0 ? -index : index >= size ? 2 * (size - 1) - index : index;
    return reflected < 0 ? 0 : reflected >= size ? size - 1 : reflected;
}

typedef struct {
    const dkp_feature_map *x, *dy, *dx;
    dkp_activation activation;
    const dkp_normalization *statistics;
    const float *slope_x, *constant;
    double *scratch;
} Reduction;

typedef struct {
    const dkp_feature_map *x, *residual, *y;
    const float *scale, *shift;
    dkp_activation activation;
} Affine;

typedef struct {
    const dkp_feature_map *x, *dy, *dx;
    dkp_activation activation;
    int accumulate;
} ActivationBackward;

typedef struct {
    const dkp_feature_map *x, *y;
    int row_offset, column_offset, accumulate;
} Resampling;

typedef struct {
    const dkp_feature_map *x, *y;
    int stride;
} Dilation;

typedef struct {
    const dkp_feature_map *large, *small;
    uint8_t *choice;
    int accumulate;
} Pooling;

typedef struct {
    const dkp_feature_map *a, *b;
    float factor;
    float *product;
} ChannelProduct;

typedef struct {
    const dkp_feature_map *a, *y;
    const float *matrix;
    float factor;
    int accumulate;
} ChannelTransform;

typedef struct {
    float *planes;
    const dkp_feature_map *map;
    int first, channels;
} Packing;

typedef struct {
    const dkp_feature_map *map;
    const int32_t *used;
} Padding;

#define SCALAR_IS_BF16 0
#define BLOCK 8
#include "Kernels.inc.h"
#undef BLOCK
#define BLOCK 16
#include "Kernels.inc.h"
#undef BLOCK
#undef SCALAR_IS_BF16
#define SCALAR_IS_BF16 1
#define BLOCK 8
#include "Kernels.inc.h"
#undef BLOCK
#define BLOCK 16
#include "Kernels.inc.h"
#undef BLOCK
#undef SCALAR_IS_BF16

#define SELECT(map, function)                                                 \
    ((map)->scalar == DKP_F32 ? ((map)->block == 8 ? function##_f32_8 : function##_f32_16) \
                              : ((map)->block == 8 ? function##_bf16_8 : function##_bf16_16))

size_t dkp_reduction_scratch_length(int blocks, int block) {
    // The last third holds the two coefficient rows of the backward pass (as floats, with room to spare).
    return (size_t)blocks * block * (2 * REDUCTION_CHUNKS + 2);
}

// Sums the chunks of channel `channel`: entry 0 or 1 of the pair.
static double chunk_sum(const double *scratch, int block, int channel, int entry) {
    const int plane = channel / block, lane = channel % block;
    double sum = 0;
    for (int chunk = 0; chunk < REDUCTION_CHUNKS; chunk++)
        sum += scratch[((ptrdiff_t)(plane * REDUCTION_CHUNKS + chunk) * 2 + entry) * block + lane];
    return sum;
}

void dkp_batch_statistics(
    const dkp_feature_map *x, const float *weight, const float *bias, float epsilon, const dkp_normalization *result,
    double *scratch) {
    Reduction reduction = {.x = x, .scratch = scratch};
    dkp_parallel_for((ptrdiff_t)x->blocks * REDUCTION_CHUNKS, 1, SELECT(x, statistics), &reduction);
    const double count = (double)x->height * x->width;
    float origin[16];
    for (int channel = 0; channel < x->blocks * x->block; channel++) {
        if (channel % x->block == 0) SELECT(x, read_origin)(x, channel / x->block, origin);
        const double mean = chunk_sum(scratch, x->block, channel, 0) / count;
        const double square = chunk_sum(scratch, x->block, channel, 1) / count;
        const double variance = fmax(square - mean * mean, 0);
        const double scale = weight[channel] / sqrt(variance + epsilon);
        const double shifted_mean = mean + origin[channel % x->block];
        result->mean[channel] = (float)shifted_mean;
        result->variance[channel] = (float)variance;
        result->scale[channel] = (float)scale;
        result->shift[channel] = (float)(bias[channel] - shifted_mean * scale);
    }
}

void dkp_group_normalization(
    const dkp_feature_map *x, const dkp_group_normalization_layout *layout, const float *weight, const float *bias,
    const float *modulation, float epsilon, float *scale, float *shift, double *scratch) {
    Reduction reduction = {.x = x, .scratch = scratch};
    dkp_parallel_for((ptrdiff_t)x->blocks * REDUCTION_CHUNKS, 1, SELECT(x, statistics), &reduction);
    const double pixels = (double)x->height * x->width;
    memset(scale, 0, (size_t)x->blocks * x->block * sizeof *scale);
    memset(shift, 0, (size_t)x->blocks * x->block * sizeof *shift);
    float origin[16];
    int origin_plane = -1;
    const int members = layout->channels / layout->groups;
    for (int first = 0; first < layout->channels; first += members) {
        // A channel's mean and variance, then those of the group: differences of means are small beside the sums.
        double mean = 0, variance = 0;
        for (int pass = 0; pass < 2; pass++) {
            for (int member = first; member < first + members; member++) {
                const int channel = layout->places[member];
                if (channel / x->block != origin_plane) {
                    origin_plane = channel / x->block;
                    SELECT(x, read_origin)(x, origin_plane, origin);
                }
                const double offset = chunk_sum(scratch, x->block, channel, 0) / pixels;
                const double own_mean = offset + origin[channel % x->block];
                if (pass == 0) {
                    mean += own_mean / members;
                } else {
                    const double square = chunk_sum(scratch, x->block, channel, 1) / pixels;
                    const double distance = own_mean - mean;
                    variance += (fmax(square - offset * offset, 0) + distance * distance) / members;
                }
            }
        }
        const double normalizer = 1 / sqrt(variance + epsilon);
        for (int member = first; member < first + members; member++) {
            const int channel = layout->places[member];
            double slope = weight[channel] * normalizer, constant = bias[channel] - mean * slope;
            if (modulation) {
                const double factor = 1 + (double)modulation[member];
                slope *= factor;
                constant = constant * factor + modulation[layout->channels + member];
            }
            scale[channel] = (float)slope;
            shift[channel] = (float)constant;
        }
    }
}

static ptrdiff_t row_tasks(const dkp_feature_map *map) { return (ptrdiff_t)map->blocks * map->height; }

// Rows are short at the deep scales: a part should be worth the fork.
static ptrdiff_t row_grain(const dkp_feature_map *map) { return 1 + 2048 / (map->width + 1); }

void dkp_affine_activation(
    const dkp_feature_map *x, const float *scale, const float *shift, dkp_activation activation,
    const dkp_feature_map *residual, const dkp_feature_map *y) {
    Affine affine = {x, residual, y, scale, shift, activation};
    dkp_parallel_for(row_tasks(x), row_grain(x), SELECT(x, affine), &affine);
}

void dkp_batch_normalization_backward(
    const dkp_feature_map *x, const dkp_feature_map *dy, dkp_activation activation, float epsilon,
    const dkp_normalization *statistics, const dkp_feature_map *dx, float *weight_gradient, float *bias_gradient,
    double *scratch) {
    const int channels = x->blocks * x->block;
    float *slope_x = (float *)(scratch + (size_t)channels * 2 * REDUCTION_CHUNKS), *constant = slope_x + channels;
    Reduction reduction = {x, dy, dx, activation, statistics, slope_x, constant, scratch};
    dkp_parallel_for((ptrdiff_t)x->blocks * REDUCTION_CHUNKS, 1, SELECT(x, backward_sums), &reduction);
    const double count = (double)x->height * x->width;
    for (int channel = 0; channel < channels; channel++) {
        const double sum = chunk_sum(scratch, x->block, channel, 0);
        const double moment = chunk_sum(scratch, x->block, channel, 1);
        const double variance = statistics->variance[channel] + (double)epsilon;
        bias_gradient[channel] = (float)sum;
        weight_gradient[channel] = (float)(moment / sqrt(variance));
        const double scale = statistics->scale[channel];
        const double slope = -scale * moment / (variance * count);
        slope_x[channel] = (float)slope;
        constant[channel] = (float)(-scale * sum / count - statistics->mean[channel] * slope);
    }
    dkp_parallel_for(row_tasks(x), row_grain(x), SELECT(x, backward_apply), &reduction);
}

void dkp_activation_backward(
    const dkp_feature_map *x, const dkp_feature_map *dy, dkp_activation activation, int accumulate,
    const dkp_feature_map *dx) {
    ActivationBackward backward = {x, dy, dx, activation, accumulate};
    dkp_parallel_for(row_tasks(x), row_grain(x), SELECT(x, activation_backward), &backward);
}

void dkp_fill_halo(const dkp_feature_map *map) {
    if (map->halo > 0) dkp_parallel_for(map->blocks, 1, SELECT(map, fill_halo), (void *)map);
}

void dkp_zero_halo(const dkp_feature_map *map) {
    if (map->halo > 0) dkp_parallel_for(map->blocks, 1, SELECT(map, clear_halo), (void *)map);
}

void dkp_zero_map(const dkp_feature_map *map) {
    dkp_parallel_for(row_tasks(map), row_grain(map), SELECT(map, zero), (void *)map);
}

void dkp_zero_padding(const dkp_feature_map *map, const int32_t *used) {
    Padding padding = {map, used};
    dkp_parallel_for(row_tasks(map), row_grain(map), SELECT(map, zero_padding), &padding);
}

void dkp_transpose(const float *matrix, int rows, int columns, float *result) {
    for (ptrdiff_t i = 0; i < rows; i++)
        for (ptrdiff_t j = 0; j < columns; j++) result[j * rows + i] = matrix[i * columns + j];
}

void dkp_fold_halo(const dkp_feature_map *map) {
    if (map->halo > 0) dkp_parallel_for(map->blocks, 1, SELECT(map, fold_halo), (void *)map);
}

static void resample(
    dkp_range_body body, const dkp_feature_map *x, int row_offset, int column_offset, int accumulate,
    const dkp_feature_map *y) {
    Resampling resampling = {x, y, row_offset, column_offset, accumulate};
    dkp_parallel_for(row_tasks(y), row_grain(y), body, &resampling);
}

void dkp_copy_window(
    const dkp_feature_map *x, int row_offset, int column_offset, int accumulate, const dkp_feature_map *y) {
    resample(SELECT(x, copy_window), x, row_offset, column_offset, accumulate, y);
}

void dkp_dilate(const dkp_feature_map *x, int stride, const dkp_feature_map *y) {
    Dilation dilation = {x, y, stride};
    dkp_parallel_for(row_tasks(y), row_grain(y), SELECT(x, dilate), &dilation);
}

void dkp_upsample_bilinear(
    const dkp_feature_map *x, int row_offset, int column_offset, const dkp_feature_map *y) {
    resample(SELECT(x, upsample_bilinear), x, row_offset, column_offset, 0, y);
}

void dkp_upsample_bilinear_backward(
    const dkp_feature_map *dy, int row_offset, int column_offset, int accumulate, const dkp_feature_map *dx) {
    resample(SELECT(dy, upsample_bilinear_backward), dy, row_offset, column_offset, accumulate, dx);
}

void dkp_upsample_nearest(const dkp_feature_map *x, int row_offset, int column_offset, const dkp_feature_map *y) {
    resample(SELECT(x, upsample_nearest), x, row_offset, column_offset, 0, y);
}

void dkp_interleave(const dkp_feature_map *parts, const dkp_feature_map *y) {
    resample(SELECT(y, interleave), parts, 0, 0, 0, y);
}

void dkp_upsample_nearest_backward(
    const dkp_feature_map *dy, int row_offset, int column_offset, int accumulate, const dkp_feature_map *dx) {
    resample(SELECT(dy, upsample_nearest_backward), dy, row_offset, column_offset, accumulate, dx);
}

void dkp_average_pool(const dkp_feature_map *x, const dkp_feature_map *y) {
    resample(SELECT(x, average_pool), x, 0, 0, 0, y);
}

void dkp_max_pool(const dkp_feature_map *x, const dkp_feature_map *y, uint8_t *choice) {
    Pooling pooling = {x, y, choice, 0};
    dkp_parallel_for(row_tasks(y), row_grain(y), SELECT(x, max_pool), &pooling);
}

void dkp_max_pool_backward(
    const dkp_feature_map *dy, const uint8_t *choice, int accumulate, const dkp_feature_map *dx) {
    Pooling pooling = {dx, dy, (uint8_t *)choice, accumulate};
    dkp_parallel_for(row_tasks(dx), row_grain(dx), SELECT(dy, max_pool_backward), &pooling);
}

void dkp_channel_product(const dkp_feature_map *a, const dkp_feature_map *b, float factor, float *product) {
    ChannelProduct task = {a, b, factor, product};
    dkp_parallel_for((ptrdiff_t)a->blocks * b->blocks, 1, SELECT(a, channel_product), &task);
}

void dkp_channel_transform(
    const dkp_feature_map *a, const float *matrix, float factor, int accumulate, const dkp_feature_map *y) {
    ChannelTransform task = {a, y, matrix, factor, accumulate};
    dkp_parallel_for((ptrdiff_t)a->height * a->width, 32, SELECT(a, channel_transform), &task);
}

void dkp_pack(const float *planes, int channels, const dkp_feature_map *map, int first) {
    Packing packing = {(float *)planes, map, first, channels};
    dkp_parallel_for(map->height, 16, SELECT(map, pack), &packing);
}

void dkp_unpack(const dkp_feature_map *map, int first, int channels, float *planes) {
    Packing packing = {planes, map, first, channels};
    dkp_parallel_for(map->height, 16, SELECT(map, unpack), &packing);
}

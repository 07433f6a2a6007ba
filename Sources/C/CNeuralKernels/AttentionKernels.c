#include <math.h>
#include <string.h>

#include "BFloat16.h"
#include "CNeuralKernels.h"
#include "CParallel.h"

// Attention over one image. Keys and values are packed head by head into the order in which the products read them;
// then each task takes a few queries through all keys: scores in f32, softmax, weighted sum of values.
//
// Layouts, with `keys` the pixels rounded up to 16 (what is beyond is zero):
//   keys:    [keys / 16][channels / g][16 keys][g channels]
//   values:  [channels / 16][keys / g][16 channels][g keys]
//   queries, weights: one row a query
// g, the group that one multiply-add takes, is 2 for bf16 and 1 for f32.

#define SCALAR_IS_BF16 0
#define BLOCK 16
#include "Vectors.h"

#if defined(__x86_64__)
#include <immintrin.h>
#define HAS_BF16_PRODUCTS __builtin_cpu_supports("avx512bf16")
#define BF16_TARGET __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16")))
#else
#define HAS_BF16_PRODUCTS 0
#endif

enum { QUERIES = 24, GROUP_QUERIES_F32 = 4, GROUP_BLOCKS_F32 = 2, GROUP_QUERIES_BF16 = 6, GROUP_BLOCKS_BF16 = 4 };

typedef struct {
    int pixels, keys;        // pixels, and the same rounded up to 16
    int depth, value_blocks; // channels of a head rounded up to 2; blocks of 16 of them
    int scalar_bytes;        // of the operands of products
    size_t head_bytes;       // packed keys of one head, or its packed values
    size_t worker_bytes;
} Sizes;

// result[q][b][lane] = sum over steps of left[q][step] . right[b][step][lane], for QUERIES rows q and `blocks` blocks b
// of 16 lanes; a step takes a group of scalars. Rows and blocks are the strides apart, in scalars. Queries meet keys in
// this way, and weights meet values.
typedef void (*Multiply)(
    const void *left, ptrdiff_t left_stride, const void *right, ptrdiff_t right_stride, int steps, int blocks,
    float *result, ptrdiff_t result_stride);

typedef struct {
    const dkp_feature_map *qkv, *y;
    const dkp_attention_layout *layout;
    Sizes sizes;
    Multiply multiply;
    char *packed, *workers;
} Attention;

static size_t whole_lines(size_t bytes) { return (bytes + 63) / 64 * 64; }

static int multiplies_bf16(dkp_scalar scalar) { return scalar == DKP_BF16 && HAS_BF16_PRODUCTS; }

static Sizes sizes_of(const dkp_attention_layout *layout, int height, int width, dkp_scalar scalar) {
    Sizes s;
    s.pixels = height * width;
    s.keys = (s.pixels + 15) / 16 * 16;
    s.depth = (layout->head_channels + 1) / 2 * 2;
    s.value_blocks = (layout->head_channels + 15) / 16;
    s.scalar_bytes = multiplies_bf16(scalar) ? 2 : 4;
    s.head_bytes = whole_lines((size_t)s.keys * s.value_blocks * 16 * s.scalar_bytes);
    const size_t queries = whole_lines((size_t)QUERIES * s.depth * s.scalar_bytes);
    const size_t scores = (size_t)QUERIES * s.keys * sizeof(float);
    const size_t results = (size_t)QUERIES * s.value_blocks * 16 * sizeof(float);
    s.worker_bytes = queries + scores + results;
    return s;
}

size_t dkp_attention_scratch_bytes(const dkp_attention_layout *layout, int height, int width, dkp_scalar scalar) {
    const Sizes s = sizes_of(layout, height, width, scalar);
    return 2 * s.head_bytes * layout->heads + s.worker_bytes * layout->workers;
}

// The first scalar of a channel of a map.
static const char *channel_base(const dkp_feature_map *map, int channel) {
    const int bytes = map->scalar == DKP_BF16 ? 2 : 4;
    return (const char *)map->data
           + ((ptrdiff_t)(channel / map->block) * map->plane_stride + channel % map->block) * bytes;
}

// Pixel p of a map without halo, in the scalar that products take.
static inline void copy_scalar(
    const dkp_feature_map *map, const char *base, ptrdiff_t pixel, int scalar_bytes, char *target) {
    if (map->scalar == DKP_F32) {
        memcpy(target, base + pixel * map->pixel_stride * 4, 4);
    } else if (scalar_bytes == 2) {
        memcpy(target, base + pixel * map->pixel_stride * 2, 2);
    } else {
        uint16_t half;
        memcpy(&half, base + pixel * map->pixel_stride * 2, sizeof half);
        const float value = widen_bf16(half);
        memcpy(target, &value, sizeof value);
    }
}

static void pack_heads(void *context, int part, ptrdiff_t begin, ptrdiff_t end) {
    (void)part;
    const Attention *a = context;
    const Sizes s = a->sizes;
    const int bytes = s.scalar_bytes, group = bytes == 2 ? 2 : 1, channels = a->layout->head_channels;
    for (ptrdiff_t task = begin; task < end; task++) {
        const ptrdiff_t head = task / 2;
        char *target = a->packed + task * (ptrdiff_t)s.head_bytes;
        memset(target, 0, s.head_bytes);
        const int is_value = task % 2 != 0;
        const int32_t *places = (is_value ? a->layout->value : a->layout->key) + head * channels;
        for (int c = 0; c < channels; c++) {
            const char *base = channel_base(a->qkv, places[c]);
            for (ptrdiff_t p = 0; p < s.pixels; p++) {
                const ptrdiff_t at =
                    is_value
                        ? ((((ptrdiff_t)(c / 16) * s.keys + p) / group) * 16 + c % 16) * group + p % group
                        : (((p / 16) * (s.depth / group) + c / group) * 16 + p % 16) * group + c % group;
                copy_scalar(a->qkv, base, p, bytes, target + at * bytes);
            }
        }
    }
}

INLINE void multiply_group_f32(
    const float *left, ptrdiff_t left_stride, const float *right, ptrdiff_t right_stride, int steps, int blocks,
    float *result, ptrdiff_t result_stride) {
    VEC sums[GROUP_QUERIES_F32][GROUP_BLOCKS_F32];
    for (int q = 0; q < GROUP_QUERIES_F32; q++)
        for (int b = 0; b < blocks; b++) sums[q][b] = (VEC){0};
    for (ptrdiff_t step = 0; step < steps; step++) {
        VEC r[GROUP_BLOCKS_F32];
        for (int b = 0; b < blocks; b++) memcpy(&r[b], right + b * right_stride + step * 16, sizeof r[b]);
        for (int q = 0; q < GROUP_QUERIES_F32; q++)
            for (int b = 0; b < blocks; b++) sums[q][b] += left[q * left_stride + step] * r[b];
    }
    for (int q = 0; q < GROUP_QUERIES_F32; q++)
        for (int b = 0; b < blocks; b++)
            memcpy(result + q * result_stride + b * 16, &sums[q][b], sizeof sums[q][b]);
}

KERNEL void multiply_f32(
    const void *left, ptrdiff_t left_stride, const void *right, ptrdiff_t right_stride, int steps, int blocks,
    float *result, ptrdiff_t result_stride) {
    for (int q = 0; q < QUERIES; q += GROUP_QUERIES_F32) {
        const float *l = (const float *)left + q * left_stride;
        float *row = result + q * result_stride;
        int b = 0;
        for (; b + GROUP_BLOCKS_F32 <= blocks; b += GROUP_BLOCKS_F32)
            multiply_group_f32(
                l, left_stride, (const float *)right + b * right_stride, right_stride, steps, GROUP_BLOCKS_F32,
                row + b * 16, result_stride);
        for (; b < blocks; b++)
            multiply_group_f32(
                l, left_stride, (const float *)right + b * right_stride, right_stride, steps, 1, row + b * 16,
                result_stride);
    }
}

// Scores of one query to weights, in place and not yet divided by their sum, which is returned. With `halves` the
// weights are bf16 and take the first half of the row.
INLINE float weigh(float *row, int pixels, int keys, float factor, int halves) {
    for (int k = pixels; k < keys; k++) row[k] = -INFINITY;
    VEC most;
    memcpy(&most, row, sizeof most);
    for (int k = 16; k < keys; k += 16) {
        LOAD(v, row + k);
        MASK m = v > most;
        NAME(select)(&m, &v, &most, &most);
    }
    float largest = most[0];
    for (int i = 1; i < 16; i++) largest = most[i] > largest ? most[i] : largest;
    VEC sums = {0};
    for (int k = 0; k < keys; k += 16) {
        LOAD(v, row + k);
        v = (v - largest) * factor;
        NAME(exponential)(&v, &v);
        sums += v;
        if (halves) {
            BITS b;
            memcpy(&b, &v, sizeof b);
            NAME(round_bits)(&b);
            const NAME(half) h = __builtin_convertvector(b, NAME(half));
            memcpy((char *)row + k * 2, &h, sizeof h);
        } else {
            memcpy(row + k, &v, sizeof v);
        }
    }
    float sum = 0;
    for (int i = 0; i < 16; i++) sum += sums[i];
    return sum;
}

#if defined(__x86_64__)
BF16_TARGET static inline __attribute__((always_inline)) void multiply_group_bf16(
    const uint16_t *left, ptrdiff_t left_stride, const uint16_t *right, ptrdiff_t right_stride, int steps, int blocks,
    float *result, ptrdiff_t result_stride) {
    __m512 sums[GROUP_QUERIES_BF16][GROUP_BLOCKS_BF16];
    for (int q = 0; q < GROUP_QUERIES_BF16; q++)
        for (int b = 0; b < blocks; b++) sums[q][b] = _mm512_setzero_ps();
    for (ptrdiff_t step = 0; step < steps; step++) {
        __m512i r[GROUP_BLOCKS_BF16];
        for (int b = 0; b < blocks; b++) r[b] = _mm512_loadu_si512(right + b * right_stride + step * 32);
        for (int q = 0; q < GROUP_QUERIES_BF16; q++) {
            int pair;
            memcpy(&pair, left + q * left_stride + step * 2, sizeof pair);
            const __m512bh l = (__m512bh)_mm512_set1_epi32(pair);
            for (int b = 0; b < blocks; b++) sums[q][b] = _mm512_dpbf16_ps(sums[q][b], l, (__m512bh)r[b]);
        }
    }
    for (int q = 0; q < GROUP_QUERIES_BF16; q++)
        for (int b = 0; b < blocks; b++) _mm512_storeu_ps(result + q * result_stride + b * 16, sums[q][b]);
}

BF16_TARGET static void multiply_bf16(
    const void *left, ptrdiff_t left_stride, const void *right, ptrdiff_t right_stride, int steps, int blocks,
    float *result, ptrdiff_t result_stride) {
    for (int q = 0; q < QUERIES; q += GROUP_QUERIES_BF16) {
        const uint16_t *l = (const uint16_t *)left + q * left_stride;
        float *row = result + q * result_stride;
        int b = 0;
        for (; b + GROUP_BLOCKS_BF16 <= blocks; b += GROUP_BLOCKS_BF16)
            multiply_group_bf16(
                l, left_stride, (const uint16_t *)right + b * right_stride, right_stride, steps, GROUP_BLOCKS_BF16,
                row + b * 16, result_stride);
        for (; b < blocks; b++)
            multiply_group_bf16(
                l, left_stride, (const uint16_t *)right + b * right_stride, right_stride, steps, 1, row + b * 16,
                result_stride);
    }
}
#endif

static void store_result(
    const Attention *a, ptrdiff_t head, int first, int queries, const float *result, const float *sums) {
    const dkp_attention_layout *layout = a->layout;
    const ptrdiff_t stride = (ptrdiff_t)a->sizes.value_blocks * 16;
    for (int c = 0; c < layout->head_channels; c++) {
        char *base = (char *)channel_base(a->y, layout->result[head * layout->head_channels + c]);
        for (int q = 0; q < queries; q++) {
            const float value = result[q * stride + c] / sums[q];
            const ptrdiff_t at = (first + q) * a->y->pixel_stride;
            if (a->y->scalar == DKP_F32) {
                memcpy(base + at * 4, &value, sizeof value);
            } else {
                const uint16_t half = round_to_bf16(value);
                memcpy(base + at * 2, &half, sizeof half);
            }
        }
    }
}

// The parts of a worker's scratch.
typedef struct {
    char *queries;
    float *scores, *results;
} Worker;

static Worker worker_of(const Attention *a, int part) {
    const Sizes s = a->sizes;
    char *base = a->workers + (size_t)part * s.worker_bytes;
    float *scores = (float *)(base + whole_lines((size_t)QUERIES * s.depth * s.scalar_bytes));
    return (Worker){base, scores, scores + (ptrdiff_t)QUERIES * s.keys};
}

static void pack_queries(const Attention *a, ptrdiff_t head, int first, int queries, char *target) {
    const Sizes s = a->sizes;
    memset(target, 0, (size_t)QUERIES * s.depth * s.scalar_bytes);
    for (int c = 0; c < a->layout->head_channels; c++) {
        const char *base = channel_base(a->qkv, a->layout->query[head * a->layout->head_channels + c]);
        for (ptrdiff_t q = 0; q < queries; q++)
            copy_scalar(a->qkv, base, first + q, s.scalar_bytes, target + (q * s.depth + c) * s.scalar_bytes);
    }
}

KERNEL void attend(void *context, int part, ptrdiff_t begin, ptrdiff_t end) {
    const Attention *a = context;
    const Sizes s = a->sizes;
    const int halves = s.scalar_bytes == 2, group = halves ? 2 : 1;
    const int tiles = (s.pixels + QUERIES - 1) / QUERIES;
    const ptrdiff_t block_stride = (ptrdiff_t)s.keys * 16, result_stride = (ptrdiff_t)s.value_blocks * 16;
    const Worker w = worker_of(a, part);
    for (ptrdiff_t task = begin; task < end; task++) {
        const ptrdiff_t head = task / tiles;
        const int first = (int)(task % tiles) * QUERIES;
        const int queries = s.pixels - first < QUERIES ? s.pixels - first : QUERIES;
        const char *keys = a->packed + 2 * head * (ptrdiff_t)s.head_bytes;
        pack_queries(a, head, first, queries, w.queries);
        a->multiply(
            w.queries, s.depth, keys, (ptrdiff_t)s.depth * 16, s.depth / group, s.keys / 16, w.scores, s.keys);
        float sums[QUERIES];
        for (int q = 0; q < QUERIES; q++) {
            float *row = w.scores + (ptrdiff_t)q * s.keys;
            sums[q] = halves ? weigh(row, s.pixels, s.keys, a->layout->factor, 1)
                             : weigh(row, s.pixels, s.keys, a->layout->factor, 0);
        }
        a->multiply(
            w.scores, (ptrdiff_t)group * s.keys, keys + s.head_bytes, block_stride, s.keys / group, s.value_blocks,
            w.results, result_stride);
        store_result(a, head, first, queries, w.results, sums);
    }
}

void dkp_attention(
    const dkp_feature_map *qkv, const dkp_attention_layout *layout, const dkp_feature_map *y, void *scratch) {
    Attention a = {
        qkv, y, layout, sizes_of(layout, qkv->height, qkv->width, qkv->scalar), multiply_f32, scratch, NULL};
#if defined(__x86_64__)
    if (multiplies_bf16(qkv->scalar)) a.multiply = multiply_bf16;
#endif
    a.workers = a.packed + 2 * a.sizes.head_bytes * layout->heads;
    dkp_parallel_for(2 * (ptrdiff_t)layout->heads, 1, pack_heads, &a);
    const ptrdiff_t tasks = (ptrdiff_t)layout->heads * ((a.sizes.pixels + QUERIES - 1) / QUERIES);
    dkp_parallel_for(tasks, (tasks + layout->workers - 1) / layout->workers, attend, &a);
}

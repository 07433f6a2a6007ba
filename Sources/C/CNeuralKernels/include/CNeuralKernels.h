#pragma once
#include <stddef.h>
#include <stdint.h>

/// Loops over feature maps in oneDNN's channel-blocked layout, `[channel / block][row][column][channel % block]`, or
/// with channels last, `[row][column][channel]`, which are taken by blocks as well, in f32 or bf16 storage with f32
/// arithmetic. Sums are taken in f32 along a row and in double across rows, over a fixed number of chunks: a result does
/// not depend on the number of threads.

typedef enum { DKP_F32 = 0, DKP_BF16 = 1 } dkp_scalar;

/// A view of a feature map. `data` points at the first interior pixel; a halo of `halo` pixels lies around the interior
/// of each channel block. Strides are in scalars: from a channel block to the next, from a row, from a pixel.
typedef struct {
    void *_Nonnull data;
    ptrdiff_t plane_stride, row_stride, pixel_stride;
    int blocks, height, width, halo;
    dkp_scalar scalar;
    int block; // channels per block: 8 or 16
} dkp_feature_map;

typedef enum {
    DKP_IDENTITY = 0,
    DKP_LEAKY_RELU = 1,
    DKP_RELU6 = 2,
    DKP_SILU = 3,
    DKP_SIGMOID = 4,
} dkp_activation_kind;

typedef struct {
    dkp_activation_kind kind;
    float slope; // of the negative side, for DKP_LEAKY_RELU
} dkp_activation;

/// Per-channel arrays of a batch normalization, each blocks * block long.
typedef struct {
    float *_Nonnull mean;
    float *_Nonnull variance; // biased, of the batch
    float *_Nonnull scale;    // weight / sqrt(variance + epsilon)
    float *_Nonnull shift;    // bias - mean * scale
} dkp_normalization;

/// The length in doubles of the scratch that the reductions below need for this many channel blocks.
size_t dkp_reduction_scratch_length(int blocks, int block);

/// Batch statistics of `x`, and from them scale and shift.
void dkp_batch_statistics(
    const dkp_feature_map *_Nonnull x, const float *_Nonnull weight, const float *_Nonnull bias, float epsilon,
    const dkp_normalization *_Nonnull result, double *_Nonnull scratch);

/// Which channels are normalized together: `groups` runs of `channels / groups` logical channels, each of which lies at
/// `places[channel]` among the physical ones.
typedef struct {
    const int32_t *_Nonnull places;
    int channels, groups;
} dkp_group_normalization_layout;

/// The scale and shift of each physical channel (0 for padding) that normalize every group of channels of `x` to mean 0
/// and variance 1, then apply weight and bias (by physical channel), then, unless `modulation` is null, the factors 1 +
/// modulation[channel] and the summands modulation[channels + channel] (by logical channel). Scratch as above.
void dkp_group_normalization(
    const dkp_feature_map *_Nonnull x, const dkp_group_normalization_layout *_Nonnull layout,
    const float *_Nonnull weight, const float *_Nonnull bias, const float *_Nullable modulation, float epsilon,
    float *_Nonnull scale, float *_Nonnull shift, double *_Nonnull scratch);

/// y = activation(x * scale + shift) + residual. `residual` may be null, scale and shift too (meaning 1 and 0).
void dkp_affine_activation(
    const dkp_feature_map *_Nonnull x, const float *_Nullable scale, const float *_Nullable shift,
    dkp_activation activation, const dkp_feature_map *_Nullable residual, const dkp_feature_map *_Nonnull y);

/// Backward of statistics + affine + activation: writes dx (its halo to zero) and the gradients of weight and bias.
void dkp_batch_normalization_backward(
    const dkp_feature_map *_Nonnull x, const dkp_feature_map *_Nonnull dy, dkp_activation activation, float epsilon,
    const dkp_normalization *_Nonnull statistics, const dkp_feature_map *_Nonnull dx, float *_Nonnull weight_gradient,
    float *_Nonnull bias_gradient, double *_Nonnull scratch);

/// dx (+)= dy * activation'(x); dx's halo becomes zero unless it accumulates.
void dkp_activation_backward(
    const dkp_feature_map *_Nonnull x, const dkp_feature_map *_Nonnull dy, dkp_activation activation, int accumulate,
    const dkp_feature_map *_Nonnull dx);

/// Fills the halo of `map` by reflection about the edge pixels (the edge itself is not repeated).
void dkp_fill_halo(const dkp_feature_map *_Nonnull map);

/// The adjoint of dkp_fill_halo: adds every halo gradient to the interior pixel it was copied from.
void dkp_fold_halo(const dkp_feature_map *_Nonnull map);

/// y[r][c] (+)= x[r + row_offset][c + column_offset] over y's interior, where x has such a pixel, else 0.
void dkp_copy_window(
    const dkp_feature_map *_Nonnull x, int row_offset, int column_offset, int accumulate,
    const dkp_feature_map *_Nonnull y);

/// y[r][c] = x[r / stride][c / stride] where both divide evenly and x has the pixel, else 0.
void dkp_dilate(const dkp_feature_map *_Nonnull x, int stride, const dkp_feature_map *_Nonnull y);

/// Twofold bilinear upsampling (pixel centres at half-integers, edges clamped), cropped: y's pixel (r, c) is the
/// upsampled image's (r + row_offset, c + column_offset).
void dkp_upsample_bilinear(
    const dkp_feature_map *_Nonnull x, int row_offset, int column_offset, const dkp_feature_map *_Nonnull y);
void dkp_upsample_bilinear_backward(
    const dkp_feature_map *_Nonnull dy, int row_offset, int column_offset, int accumulate,
    const dkp_feature_map *_Nonnull dx);

/// Twofold upsampling by repetition, cropped likewise.
void dkp_upsample_nearest(
    const dkp_feature_map *_Nonnull x, int row_offset, int column_offset, const dkp_feature_map *_Nonnull y);
void dkp_upsample_nearest_backward(
    const dkp_feature_map *_Nonnull dy, int row_offset, int column_offset, int accumulate,
    const dkp_feature_map *_Nonnull dx);

/// y[r][c] = parts[2 (r % 2) + c % 2][r / 2][c / 2], from four maps of half the rows and columns.
void dkp_interleave(const dkp_feature_map *_Nonnull parts, const dkp_feature_map *_Nonnull y);

/// 2 x 2 maximum with stride 2 (a last odd row or column is dropped). `choice` receives which of the four pixels won,
/// one byte per output scalar, dense.
void dkp_max_pool(
    const dkp_feature_map *_Nonnull x, const dkp_feature_map *_Nonnull y, uint8_t *_Nonnull choice);
void dkp_max_pool_backward(
    const dkp_feature_map *_Nonnull dy, const uint8_t *_Nonnull choice, int accumulate,
    const dkp_feature_map *_Nonnull dx);

/// The mean of each 2 x 2 pixels (a last odd row or column is dropped).
void dkp_average_pool(const dkp_feature_map *_Nonnull x, const dkp_feature_map *_Nonnull y);

/// product[i][j] = factor * sum over pixels of a[i] b[j]; row-major, channels of a by channels of b. Maps without halo.
void dkp_channel_product(
    const dkp_feature_map *_Nonnull a, const dkp_feature_map *_Nonnull b, float factor, float *_Nonnull product);

/// y[j] (+)= factor * sum over i of a[i] matrix[i][j] at every pixel, matrix row-major. Maps without halo.
void dkp_channel_transform(
    const dkp_feature_map *_Nonnull a, const float *_Nonnull matrix, float factor, int accumulate,
    const dkp_feature_map *_Nonnull y);

/// The transpose of a row-major rows x columns matrix.
void dkp_transpose(const float *_Nonnull matrix, int rows, int columns, float *_Nonnull result);

/// Zeroes every pixel of `map`, which has no halo.
void dkp_zero_map(const dkp_feature_map *_Nonnull map);

/// Zeroes the channels of each block of `map` from the `used[block]`-th on: those that are there only to fill the block.
void dkp_zero_padding(const dkp_feature_map *_Nonnull map, const int32_t *_Nonnull used);

/// Zeroes the halo of `map`.
void dkp_zero_halo(const dkp_feature_map *_Nonnull map);

/// target += source, both `count` scalars long.
void dkp_accumulate(void *_Nonnull target, const void *_Nonnull source, size_t count, dkp_scalar scalar);

/// Planar f32 `[channel][row][column]` into `channels` channels of `map` from its channel `first`, and back. Packing
/// zeroes what is left of the last block, the padding of a segment that ends there, and leaves other blocks alone.
void dkp_pack(
    const float *_Nonnull planes, int channels, const dkp_feature_map *_Nonnull map, int first);
void dkp_unpack(
    const dkp_feature_map *_Nonnull map, int first, int channels, float *_Nonnull planes);

void dkp_convert_to_f32(const uint16_t *_Nonnull source, float *_Nonnull target, size_t count);
void dkp_convert_to_bf16(const float *_Nonnull source, uint16_t *_Nonnull target, size_t count);

/// Rounds every value to the nearest bf16, kept as f32.
void dkp_round_to_bf16(const float *_Nonnull source, float *_Nonnull target, size_t count);

/// y = activation(x) over plain arrays, and the gradient dx = dy * activation'(x) expressed through y alone, which the
/// identity and the sigmoid allow (other kinds are not for plain arrays).
void dkp_array_activation(
    const float *_Nonnull x, float *_Nonnull y, size_t count, dkp_activation_kind kind);
void dkp_array_activation_backward(
    const float *_Nonnull y, const float *_Nonnull dy, float *_Nonnull dx, size_t count, dkp_activation_kind kind);

/// y[row] = matrix[row] . x + bias[row] (+ addend[row]); the matrix is row-major, its number of columns divides by 8.
void dkp_linear(
    const void *_Nonnull matrix, dkp_scalar scalar, int rows, int columns, const float *_Nonnull x,
    const float *_Nonnull bias, const float *_Nullable addend, float *_Nonnull y);

/// Where the heads of an attention lie: physical channels of channel `c` of head `h` at index h * head_channels + c, of
/// the queries, keys and values among the channels of one map, and of the result in its own.
typedef struct {
    int heads, head_channels;
    const int32_t *_Nonnull query, *_Nonnull key, *_Nonnull value, *_Nonnull result;
    float factor; // of the scores, before the softmax
    int workers;  // the most threads that take part; the scratch is as large as they need
} dkp_attention_layout;

/// The bytes of scratch that dkp_attention needs.
size_t dkp_attention_scratch_bytes(
    const dkp_attention_layout *_Nonnull layout, int height, int width, dkp_scalar scalar);

/// y = softmax(factor q' k) v over all pixels, head by head; the scores of a few queries at a time exist in f32, never
/// all of them. Maps without halo. Products take bf16 operands where maps are bf16 and the processor has bf16 products,
/// else f32 ones; sums are f32. The padding channels of y are left alone.
void dkp_attention(
    const dkp_feature_map *_Nonnull qkv, const dkp_attention_layout *_Nonnull layout,
    const dkp_feature_map *_Nonnull y, void *_Nonnull scratch);

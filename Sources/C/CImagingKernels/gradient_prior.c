#include "CImagingKernels.h"
#include "CParallel.h"
#include "common.h"

// Hyper-Laplacian prior on differences (algorithm.md: the sum over four filters of (|f| + 1e-8)^0.67). Each pixel is
// compared with its neighbours above, above left, left and below left; the border is reflected. One channel at a time:
//   1. `padded` <- the channel with one reflected row above and below and one reflected column on the left;
//   2. `slopes[k]` <- derivative of the sum with respect to filter k's response at each pixel;
//   3. gradient <- each pixel's own slopes minus those of the pixels that were compared with it.

enum { FILTERS = 4, SHARE_COPY = 1 << 14, SHARE_WORK = 1 << 12 };

typedef int integers __attribute__((vector_size(64), aligned(4)));

typedef struct {
    ptrdiff_t height, width, stride;
    const float *image;
    float scale;
    float *gradient, *padded, *slopes;
    double *row_sums;
} Prior;

/// Column 0 is the reflected one; after the last column there is room for a whole vector.
static ptrdiff_t row_stride(ptrdiff_t width) { return round_up(width + 1, FLOATS) + FLOATS; }

ptrdiff_t dkp_gradient_prior_scratch(ptrdiff_t height, ptrdiff_t width) {
    return (height + 2 + FILTERS * height) * row_stride(width);
}

/// value^0.67 for normal positive values, to about 2e-7.
DKP_INLINE void power(const floats *values, floats *powers) {
    // value = 2^exponent * mantissa with mantissa in [sqrt(1/2), sqrt(2)).
    const integers bits = (integers)*values;
    const integers exponents = (bits - 0x3f3504f3) >> 23;
    const floats mantissa = (floats)(bits - (exponents << 23)), exponent = __builtin_convertvector(exponents, floats);
    // ln(mantissa) = 2 atanh(t), t = (mantissa - 1) / (mantissa + 1), |t| < 0.172.
    const floats t = (mantissa - 1) / (mantissa + 1), s = t * t;
    const floats atanh = t * (1 + s * (0.333333333f + s * (0.2f + s * (0.142857143f + s * 0.1125f))));
    // 0.67 = 343 / 512 + 7.8125e-5. The first product is exact, so taking the whole number out of it costs nothing;
    // adding and subtracting 1.5 * 2^23 rounds to that number.
    const floats high = exponent * 0.669921875f, whole = (high + 12582912.0f) - 12582912.0f;
    const floats rest = (high - whole) + exponent * 7.8125e-5f;
    // The Taylor series of e^x: |x| < 0.6, so the first term left out is below 3e-8.
    const floats x = 1.34f * atanh + 0.693147181f * rest;
    const floats tail = 8.3333333e-3f + x * (1.3888889e-3f + x * (1.9841270e-4f + x * 2.4801587e-5f));
    const floats exponential = 1 + x * (1 + x * (0.5f + x * (0.16666667f + x * (4.1666667e-2f + x * tail))));
    *powers = (floats)((integers)exponential + (__builtin_convertvector(whole, integers) << 23));
}

static void pad_rows(void *context, int part, ptrdiff_t begin, ptrdiff_t end) {
    (void)part;
    const Prior *job = context;
    for (ptrdiff_t row = begin; row < end; row++) {
        const ptrdiff_t line = row == 0 ? 1 : row == job->height + 1 ? job->height - 2 : row - 1;
        const float *source = job->image + line * job->width;
        float *target = job->padded + row * job->stride;
        target[0] = source[1];
        memcpy(target + 1, source, (size_t)job->width * sizeof(float));
        memset(target + 1 + job->width, 0, (size_t)(job->stride - job->width - 1) * sizeof(float));
    }
}

/// Slopes of one vector of responses, and their powers added to `sums`; lanes outside the image give zeros.
DKP_INLINE void respond(const float *here, const float *neighbour, const integers *inside, float *slopes,
                        floats *sums) {
    const floats response = DKP_LOAD_FLOATS(here) - DKP_LOAD_FLOATS(neighbour);
    const integers sign = (integers)response & (int)0x80000000u;
    const floats magnitude = (floats)((integers)response & 0x7fffffff) + 1e-8f;
    floats powers;
    power(&magnitude, &powers);
    *sums += (floats)((integers)powers & *inside);
    // No slope where the response is zero: the magnitude has none to speak of there.
    const integers counted = *inside & (response != 0);
    *(floats *)slopes = (floats)(((integers)(0.67f * powers / magnitude) | sign) & counted);
}

DKP_HOT static void respond_rows(void *context, int part, ptrdiff_t begin, ptrdiff_t end) {
    (void)part;
    const Prior *job = context;
    const ptrdiff_t plane = job->height * job->stride;
    const integers lanes = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    for (ptrdiff_t row = begin; row < end; row++) {
        const float *above = job->padded + row * job->stride, *here = above + job->stride, *below = here + job->stride;
        float *slopes = job->slopes + row * job->stride;
        double total = 0;
        // One column more than the image has: the next pass reads the zeros there.
        for (ptrdiff_t column = 0; column <= job->width; column += FLOATS) {
            const integers inside = lanes + (int)column < (int)job->width;
            floats sums = {0};
            const float *pixel = here + 1 + column;
            respond(pixel, above + 1 + column, &inside, slopes + column, &sums);
            respond(pixel, above + column, &inside, slopes + plane + column, &sums);
            respond(pixel, here + column, &inside, slopes + 2 * plane + column, &sums);
            respond(pixel, below + column, &inside, slopes + 3 * plane + column, &sums);
            for (int lane = 0; lane < FLOATS; lane++) total += (double)sums[lane];
        }
        job->row_sums[row] = total;
    }
}

DKP_HOT static void collect_rows(void *context, int part, ptrdiff_t begin, ptrdiff_t end) {
    (void)part;
    const Prior *job = context;
    const ptrdiff_t height = job->height, width = job->width, plane = height * job->stride;
    const float *from_above = job->slopes, *from_above_left = job->slopes + plane;
    const float *from_left = job->slopes + 2 * plane, *from_below_left = job->slopes + 3 * plane;
    for (ptrdiff_t row = begin; row < end; row++) {
        // Offsets of the rows that look up, and down, at this one: the border rows look at their mirror image.
        ptrdiff_t looking_up[2], looking_down[2], ups = 0, downs = 0;
        if (row + 1 < height) looking_up[ups++] = (row + 1) * job->stride;
        if (row == 1) looking_up[ups++] = 0;
        if (row >= 1) looking_down[downs++] = (row - 1) * job->stride;
        if (row == height - 2) looking_down[downs++] = (height - 1) * job->stride;

        const ptrdiff_t own = row * job->stride;
        float *gradient = job->gradient + row * width;
        for (ptrdiff_t column = 0; column < width; column += FLOATS) {
            const ptrdiff_t here = own + column;
            floats sum = DKP_LOAD_FLOATS(from_above + here) + DKP_LOAD_FLOATS(from_above_left + here)
                         + DKP_LOAD_FLOATS(from_left + here) + DKP_LOAD_FLOATS(from_below_left + here)
                         - DKP_LOAD_FLOATS(from_left + here + 1);
            for (ptrdiff_t index = 0; index < ups; index++) {
                const ptrdiff_t other = looking_up[index] + column;
                sum -= DKP_LOAD_FLOATS(from_above + other) + DKP_LOAD_FLOATS(from_above_left + other + 1);
            }
            for (ptrdiff_t index = 0; index < downs; index++)
                sum -= DKP_LOAD_FLOATS(from_below_left + looking_down[index] + column + 1);
            sum *= job->scale;
            const ptrdiff_t left = width - column;
            if (left >= FLOATS)
                *(floats *)(gradient + column) += sum;
            else
                for (ptrdiff_t lane = 0; lane < left; lane++) gradient[column + lane] += sum[lane];
        }
        // Column 0 looks left at column 1.
        float mirrored = from_left[own];
        for (ptrdiff_t index = 0; index < ups; index++) mirrored += from_above_left[looking_up[index]];
        for (ptrdiff_t index = 0; index < downs; index++) mirrored += from_below_left[looking_down[index]];
        gradient[1] -= job->scale * mirrored;
    }
}

double dkp_gradient_prior(ptrdiff_t channels, ptrdiff_t height, ptrdiff_t width, const float *image,
                          float gradient_scale, float *gradient, float *scratch, double *row_sums) {
    Prior job = {.height = height, .width = width, .stride = row_stride(width), .scale = gradient_scale};
    job.padded = scratch;
    job.slopes = scratch + (height + 2) * job.stride;
    job.row_sums = row_sums;
    double total = 0;
    for (ptrdiff_t channel = 0; channel < channels; channel++) {
        job.image = image + channel * height * width;
        dkp_parallel_for(height + 2, grain_for(job.stride, SHARE_COPY), pad_rows, &job);
        dkp_parallel_for(height, grain_for(FILTERS * width, SHARE_WORK), respond_rows, &job);
        if (gradient) {
            job.gradient = gradient + channel * height * width;
            dkp_parallel_for(height, grain_for(FILTERS * width, SHARE_COPY), collect_rows, &job);
        }
        for (ptrdiff_t row = 0; row < height; row++) total += row_sums[row];
    }
    return total;
}

DKP_HOT void dkp_power_067(const float *input, float *output, ptrdiff_t count) {
    for (ptrdiff_t index = 0; index < count; index += FLOATS) {
        floats values = {0}, powers;
        const size_t bytes = (size_t)at_most(count - index, FLOATS) * sizeof(float);
        values += 1;
        memcpy(&values, input + index, bytes);
        power(&values, &powers);
        memcpy(output + index, &powers, bytes);
    }
}

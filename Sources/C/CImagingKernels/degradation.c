#include "CImagingKernels.h"
#include "CParallel.h"
#include "common.h"

// The high-resolution image is copied once into `phases`: [channel][row][phase][column], where column t of phase f
// holds x[row][(s t + f - n/2) mod W]. Tap v of output column j is then column j + v / s of phase v mod s: every inner
// loop runs over neighbouring output columns and reads contiguous memory, and nothing wraps any more. Rows are not
// copied twice: their index is reduced where it is used.

/// The image is read in blocks of MOST_BLOCKS vectors of columns, or MOST_LAGS taps of one phase at a time: as many
/// accumulators as the registers of AVX2 hold. Single-precision sums go to double ones after FLUSH_STEPS vectors.
enum { MOST_BLOCKS = 4, MOST_LAGS = 6, FLUSH_STEPS = 256, SHARE_WORK = 1 << 17, SHARE_COPY = 1 << 14 };

typedef struct {
    dkp_degradation_shape shape;
    const float *image, *kernel, *residual;
    float *output, *phases, *padded;
} Job;

static ptrdiff_t rows_of(const dkp_degradation_shape *shape) { return shape->height / shape->scale; }
static ptrdiff_t columns_of(const dkp_degradation_shape *shape) { return shape->width / shape->scale; }

/// How far, in columns of a phase, the taps of one row reach.
static ptrdiff_t reach_of(const dkp_degradation_shape *shape) { return (shape->kernel_size - 1) / shape->scale; }

static ptrdiff_t phase_stride(const dkp_degradation_shape *shape) {
    return round_up(round_up(columns_of(shape), FLOATS) + reach_of(shape), FLOATS);
}

static ptrdiff_t phases_count(const dkp_degradation_shape *shape) {
    return shape->channels * shape->height * shape->scale * phase_stride(shape);
}

static void copy_phases(void *context, int part, ptrdiff_t begin, ptrdiff_t end) {
    (void)part;
    const Job *job = context;
    const ptrdiff_t scale = job->shape.scale, width = job->shape.width, stride = phase_stride(&job->shape);
    for (ptrdiff_t row = begin; row < end; row++) {
        const float *source = job->image + row * width;
        for (ptrdiff_t phase = 0; phase < scale; phase++) {
            float *target = job->phases + (row * scale + phase) * stride;
            DKP_COPY_STRIDED(target, source, width, phase - job->shape.kernel_size / 2, scale, stride);
        }
    }
}

static void fill_phases(Job *job) {
    const ptrdiff_t cost = job->shape.scale * phase_stride(&job->shape);
    dkp_parallel_for(job->shape.channels * job->shape.height, grain_for(cost, SHARE_COPY), copy_phases, job);
}

/// Stores `left` elements, at most `blocks` vectors.
DKP_INLINE void store_columns(float *target, const floats *values, const int blocks, ptrdiff_t left) {
    for (int block = 0; block < blocks; block++, left -= FLOATS) {
        if (left >= FLOATS)
            *(floats *)(target + block * FLOATS) = values[block];
        else
            memcpy(target + block * FLOATS, &values[block], (size_t)left * sizeof(float));
    }
}

// MARK: y = (x (*) k) |s

DKP_INLINE void apply_block(const Job *job, ptrdiff_t index, ptrdiff_t first, const int blocks) {
    const ptrdiff_t scale = job->shape.scale, size = job->shape.kernel_size, height = job->shape.height;
    const ptrdiff_t rows = rows_of(&job->shape), columns = columns_of(&job->shape);
    const ptrdiff_t stride = phase_stride(&job->shape), row_stride = scale * stride;
    const ptrdiff_t channel = index / rows, row = index % rows;
    floats sums[MOST_BLOCKS] = {0};
    for (ptrdiff_t u = 0; u < size; u++) {
        const ptrdiff_t image_row = wrap(scale * row + u - size / 2, height);
        const float *phases = job->phases + (channel * height + image_row) * row_stride + first;
        const float *taps = job->kernel + u * size;
        for (ptrdiff_t phase = 0; phase < at_most(scale, size); phase++) {
            const float *source = phases + phase * stride;
            for (ptrdiff_t v = phase; v < size; v += scale, source++)
                for (int block = 0; block < blocks; block++)
                    sums[block] += taps[v] * DKP_LOAD_FLOATS(source + block * FLOATS);
        }
    }
    store_columns(job->output + index * columns + first, sums, blocks, columns - first);
}

DKP_HOT static void apply_rows(void *context, int part, ptrdiff_t begin, ptrdiff_t end) {
    (void)part;
    const Job *job = context;
    const ptrdiff_t columns = columns_of(&job->shape);
    for (ptrdiff_t index = begin; index < end; index++) {
        for (ptrdiff_t first = 0; first < columns; first += MOST_BLOCKS * FLOATS) {
            switch (at_most((columns - first + FLOATS - 1) / FLOATS, MOST_BLOCKS)) {
            case 1: apply_block(job, index, first, 1); break;
            case 2: apply_block(job, index, first, 2); break;
            case 3: apply_block(job, index, first, 3); break;
            default: apply_block(job, index, first, MOST_BLOCKS); break;
            }
        }
    }
}

ptrdiff_t dkp_degrade_scratch(const dkp_degradation_shape *shape) { return phases_count(shape); }

void dkp_degrade(const dkp_degradation_shape *shape, const float *image, const float *kernel, float *output,
                 float *scratch) {
    Job job = {.shape = *shape, .image = image, .kernel = kernel, .output = output, .phases = scratch};
    fill_phases(&job);
    const ptrdiff_t cost = columns_of(shape) * shape->kernel_size * shape->kernel_size;
    dkp_parallel_for(shape->channels * rows_of(shape), grain_for(cost, SHARE_WORK), apply_rows, &job);
}

// MARK: The transpose with respect to the image

// As a gather: image pixel (R, Q) collects residual[i][j] kernel[u][v] over s i + u - n/2 = R and s j + v - n/2 = Q
// (mod H, W). H and W are multiples of s, so the phases of u and v are fixed by R and Q, and for one phase of Q the
// residual is read at neighbouring columns: from `padded`, whose column t is residual column (t - reach) mod w.

static ptrdiff_t padded_stride(const dkp_degradation_shape *shape) {
    // Tap phase f of column phase q reads from (q + n/2 - f) / s <= (n/2 + s - 1) / s columns to the right at most.
    return round_up(
        round_up(columns_of(shape), FLOATS) + reach_of(shape) + (shape->kernel_size / 2 + shape->scale) / shape->scale,
        FLOATS);
}

static void pad_residual(void *context, int part, ptrdiff_t begin, ptrdiff_t end) {
    (void)part;
    const Job *job = context;
    const ptrdiff_t columns = columns_of(&job->shape), stride = padded_stride(&job->shape);
    for (ptrdiff_t row = begin; row < end; row++) {
        float *target = job->padded + row * stride;
        const float *source = job->residual + row * columns;
        DKP_COPY_STRIDED(target, source, columns, -reach_of(&job->shape), 1, stride);
    }
}

/// Columns first... of one row and phase: `target` receives whole vectors.
DKP_INLINE void gather_block(const Job *job, ptrdiff_t index, ptrdiff_t phase, ptrdiff_t first, float *target,
                             const int blocks) {
    const ptrdiff_t scale = job->shape.scale, size = job->shape.kernel_size, height = job->shape.height;
    const ptrdiff_t rows = rows_of(&job->shape), stride = padded_stride(&job->shape);
    const ptrdiff_t channel = index / height, row = index % height + size / 2;
    const ptrdiff_t tap_phase = (phase + size / 2) % scale, shift = (phase + size / 2) / scale;
    floats sums[MOST_BLOCKS] = {0};
    for (ptrdiff_t u = row % scale; u < size; u += scale) {
        const ptrdiff_t residual_row = wrap((row - u) / scale, rows);
        const float *source =
            job->padded + (channel * rows + residual_row) * stride + reach_of(&job->shape) + shift + first;
        const float *taps = job->kernel + u * size;
        for (ptrdiff_t v = tap_phase; v < size; v += scale, source--)
            for (int block = 0; block < blocks; block++)
                sums[block] += taps[v] * DKP_LOAD_FLOATS(source + block * FLOATS);
    }
    for (int block = 0; block < blocks; block++) *(floats *)(target + block * FLOATS) = sums[block];
}

DKP_HOT static void gather_rows(void *context, int part, ptrdiff_t begin, ptrdiff_t end) {
    (void)part;
    const Job *job = context;
    const ptrdiff_t scale = job->shape.scale, columns = columns_of(&job->shape);
    float collected[MOST_BLOCKS * FLOATS];
    for (ptrdiff_t index = begin; index < end; index++) {
        for (ptrdiff_t phase = 0; phase < scale; phase++) {
            float *target = job->output + index * job->shape.width + phase;
            for (ptrdiff_t first = 0; first < columns; first += MOST_BLOCKS * FLOATS) {
                const ptrdiff_t count = at_most(columns - first, MOST_BLOCKS * FLOATS);
                switch ((count + FLOATS - 1) / FLOATS) {
                case 1: gather_block(job, index, phase, first, collected, 1); break;
                case 2: gather_block(job, index, phase, first, collected, 2); break;
                case 3: gather_block(job, index, phase, first, collected, 3); break;
                default: gather_block(job, index, phase, first, collected, MOST_BLOCKS); break;
                }
                for (ptrdiff_t column = 0; column < count; column++)
                    target[(first + column) * scale] = collected[column];
            }
        }
    }
}

ptrdiff_t dkp_degrade_adjoint_image_scratch(const dkp_degradation_shape *shape) {
    return shape->channels * rows_of(shape) * padded_stride(shape);
}

void dkp_degrade_adjoint_image(const dkp_degradation_shape *shape, const float *residual, const float *kernel,
                               float *gradient, float *scratch) {
    Job job = {.shape = *shape, .residual = residual, .kernel = kernel, .output = gradient, .padded = scratch};
    dkp_parallel_for(
        shape->channels * rows_of(shape), grain_for(padded_stride(shape), SHARE_COPY), pad_residual, &job);
    const ptrdiff_t taps = (shape->kernel_size + shape->scale - 1) / shape->scale;
    dkp_parallel_for(
        shape->channels * shape->height, grain_for(shape->width * taps * taps, SHARE_WORK), gather_rows, &job);
}

// MARK: The transpose with respect to the kernel

/// Residual rows with zeros up to a whole number of vectors: what stands beyond them in `phases` counts nothing.
static void extend_residual(const Job *job) {
    const ptrdiff_t columns = columns_of(&job->shape), stride = round_up(columns, FLOATS);
    for (ptrdiff_t row = 0; row < job->shape.channels * rows_of(&job->shape); row++) {
        memcpy(job->padded + row * stride, job->residual + row * columns, (size_t)columns * sizeof(float));
        memset(job->padded + row * stride + columns, 0, (size_t)(stride - columns) * sizeof(float));
    }
}

DKP_INLINE void flush(floats *sums, double *totals, const int lags) {
    for (int lag = 0; lag < lags; lag++) {
        for (int lane = 0; lane < FLOATS; lane++) totals[lag] += (double)sums[lag][lane];
        sums[lag] = (floats){0};
    }
}

/// Taps u, phase + s (first_lag + 0 ..< lags): correlations of the residual with the image at neighbouring columns.
DKP_INLINE void correlate_taps(const Job *job, ptrdiff_t u, ptrdiff_t phase, ptrdiff_t first_lag, const int lags) {
    const ptrdiff_t scale = job->shape.scale, size = job->shape.kernel_size, height = job->shape.height;
    const ptrdiff_t rows = rows_of(&job->shape), vectors = round_up(columns_of(&job->shape), FLOATS);
    const ptrdiff_t stride = phase_stride(&job->shape);
    floats sums[MOST_LAGS] = {0};
    double totals[MOST_LAGS] = {0};
    ptrdiff_t steps = 0;
    for (ptrdiff_t channel = 0; channel < job->shape.channels; channel++) {
        for (ptrdiff_t row = 0; row < rows; row++) {
            const ptrdiff_t image_row = channel * height + wrap(scale * row + u - size / 2, height);
            const float *image = job->phases + (image_row * scale + phase) * stride + first_lag;
            const float *residual = job->padded + (channel * rows + row) * vectors;
            for (ptrdiff_t column = 0; column < vectors; column += FLOATS) {
                const floats weight = DKP_LOAD_FLOATS(residual + column);
                for (int lag = 0; lag < lags; lag++) sums[lag] += weight * DKP_LOAD_FLOATS(image + column + lag);
            }
            steps += vectors / FLOATS;
            if (steps >= FLUSH_STEPS) {
                flush(sums, totals, lags);
                steps = 0;
            }
        }
    }
    flush(sums, totals, lags);
    for (int lag = 0; lag < lags; lag++)
        job->output[u * size + phase + (first_lag + lag) * scale] = (float)totals[lag];
}

DKP_HOT static void correlate_residual(void *context, int part, ptrdiff_t begin, ptrdiff_t end) {
    (void)part;
    const Job *job = context;
    const ptrdiff_t scale = job->shape.scale, size = job->shape.kernel_size, phases = at_most(scale, size);
    for (ptrdiff_t index = begin; index < end; index++) {
        const ptrdiff_t u = index / phases, phase = index % phases, all = (size - phase + scale - 1) / scale;
        for (ptrdiff_t lag = 0; lag < all; lag += MOST_LAGS) {
            switch (at_most(all - lag, MOST_LAGS)) {
            case 1: correlate_taps(job, u, phase, lag, 1); break;
            case 2: correlate_taps(job, u, phase, lag, 2); break;
            case 3: correlate_taps(job, u, phase, lag, 3); break;
            case 4: correlate_taps(job, u, phase, lag, 4); break;
            case 5: correlate_taps(job, u, phase, lag, 5); break;
            default: correlate_taps(job, u, phase, lag, MOST_LAGS); break;
            }
        }
    }
}

ptrdiff_t dkp_degrade_adjoint_kernel_scratch(const dkp_degradation_shape *shape) {
    return phases_count(shape) + shape->channels * rows_of(shape) * round_up(columns_of(shape), FLOATS);
}

void dkp_degrade_adjoint_kernel(const dkp_degradation_shape *shape, const float *residual, const float *image,
                                float *gradient, float *scratch) {
    Job job = {.shape = *shape, .image = image, .residual = residual, .output = gradient, .phases = scratch};
    job.padded = scratch + phases_count(shape);
    fill_phases(&job);
    extend_residual(&job);
    const ptrdiff_t cost = shape->channels * rows_of(shape) * columns_of(shape) * (reach_of(shape) + 1);
    const ptrdiff_t phases = at_most(shape->scale, shape->kernel_size);
    dkp_parallel_for(shape->kernel_size * phases, grain_for(cost, SHARE_WORK), correlate_residual, &job);
}

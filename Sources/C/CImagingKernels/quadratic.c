#include "CImagingKernels.h"
#include "CParallel.h"
#include "common.h"

// || y - (x (*) k)|s ||^2 = k'Gk - 2 b'k + c, everything in double precision: near the optimum the three terms cancel
// to a small rest, of which double precision leaves ten digits where single precision would leave none.
//
// G = A'A has n^4 elements but few different ones. H and W are multiples of s and the boundary is circular, so moving
// both taps by s in one direction only renumbers the sum:
//   G[(u, v), (u', v')] = T[u mod s][v mod s][u' - u][v' - v],
//   T[a][b][du][dv] = sum over c, i, j of z[c][s i + a][s j + b] z[c][s i + a + du][s j + b + dv],
// with z[r][q] = x[(r - n/2) mod H][(q - n/2) mod W]: s^2 (2n - 1)^2 correlations, half of them by symmetry, instead of
// n^4 / 2. T is stored as [a][b][du + n - 1][dv + n - 1] with zeros after each row, which vectors run into.

enum { MOST_LAGS = 5, MOST_KERNEL = 63, MOST_SCALE = 8, MOST_ROWS = 32, GROUP_BYTES = 1 << 14 };

typedef struct {
    dkp_degradation_shape shape;
    const float *image, *observed;
    double *table, *linear;
    /// [channel][row][phase][column]: z around (`wrapped`, `left` columns before the first) and z followed by zeros.
    double *wrapped, *plain;
    /// The observed image with rows followed by zeros.
    double *target;
} Build;

static ptrdiff_t table_stride(ptrdiff_t size) { return size - 1 + round_up(size, DOUBLES); }

ptrdiff_t dkp_quadratic_table_stride(ptrdiff_t kernel_size) { return table_stride(kernel_size); }

static ptrdiff_t plain_stride(const dkp_degradation_shape *shape) {
    return round_up(shape->width / shape->scale, DOUBLES);
}

/// The lag of the furthest tap, in columns of a phase: to either side.
static ptrdiff_t reach_of(const dkp_degradation_shape *shape) {
    return (shape->kernel_size - 1 + shape->scale - 1) / shape->scale;
}

static ptrdiff_t wrapped_stride(const dkp_degradation_shape *shape) {
    return round_up(plain_stride(shape) + 2 * reach_of(shape), DOUBLES);
}

ptrdiff_t dkp_quadratic_table_count(ptrdiff_t scale, ptrdiff_t kernel_size) {
    return scale * scale * (2 * kernel_size - 1) * table_stride(kernel_size) + DOUBLES;
}

ptrdiff_t dkp_quadratic_scratch(const dkp_degradation_shape *shape) {
    const ptrdiff_t rows = shape->channels * shape->height;
    return rows * shape->scale * (plain_stride(shape) + wrapped_stride(shape))
           + rows / shape->scale * plain_stride(shape);
}

// MARK: Copies in the layout of the sums

static void copy_image(void *context, int part, ptrdiff_t begin, ptrdiff_t end) {
    (void)part;
    const Build *build = context;
    const dkp_degradation_shape *shape = &build->shape;
    const ptrdiff_t scale = shape->scale, columns = shape->width / scale, reach = reach_of(shape);
    const ptrdiff_t plain = plain_stride(shape), wrapped = wrapped_stride(shape);
    for (ptrdiff_t row = begin; row < end; row++) {
        const float *source = build->image + row * shape->width;
        for (ptrdiff_t phase = 0; phase < scale; phase++) {
            double *around = build->wrapped + (row * scale + phase) * wrapped;
            DKP_COPY_STRIDED(
                around, source, shape->width, phase - shape->kernel_size / 2 - scale * reach, scale, wrapped);
            double *alone = build->plain + (row * scale + phase) * plain;
            memcpy(alone, around + reach, (size_t)columns * sizeof(double));
            memset(alone + columns, 0, (size_t)(plain - columns) * sizeof(double));
        }
    }
}

static double copy_observed(const Build *build) {
    const ptrdiff_t columns = build->shape.width / build->shape.scale, stride = plain_stride(&build->shape);
    double squares = 0;
    for (ptrdiff_t row = 0; row < build->shape.channels * (build->shape.height / build->shape.scale); row++) {
        const float *source = build->observed + row * columns;
        double *target = build->target + row * stride, sum = 0;
        for (ptrdiff_t column = 0; column < columns; column++) {
            target[column] = source[column];
            sum += target[column] * target[column];
        }
        memset(target + columns, 0, (size_t)(stride - columns) * sizeof(double));
        squares += sum;
    }
    return squares;
}

// MARK: Correlations

/// sums[lag] += first[column] * second[column + lag] over `rows` rows, for `lags` neighbouring lags.
DKP_INLINE void correlate(const double *const *first, const double *const *second, ptrdiff_t first_offset,
                          ptrdiff_t second_offset, ptrdiff_t rows, ptrdiff_t columns, doubles *sums, const int lags) {
    doubles local[MOST_LAGS];
    for (int lag = 0; lag < lags; lag++) local[lag] = sums[lag];
    for (ptrdiff_t row = 0; row < rows; row++) {
        const double *one = first[row] + first_offset, *other = second[row] + second_offset;
        for (ptrdiff_t column = 0; column < columns; column += DOUBLES) {
            const doubles weight = DKP_LOAD_DOUBLES(one + column);
            for (int lag = 0; lag < lags; lag++) local[lag] += weight * DKP_LOAD_DOUBLES(other + column + lag);
        }
    }
    for (int lag = 0; lag < lags; lag++) sums[lag] = local[lag];
}

/// As above for any number of lags.
DKP_INLINE void correlate_all(const double *const *first, const double *const *second, ptrdiff_t first_offset,
                              ptrdiff_t second_offset, ptrdiff_t rows, ptrdiff_t columns, doubles *sums,
                              ptrdiff_t lags) {
    for (ptrdiff_t lag = 0; lag < lags; lag += MOST_LAGS) {
        const ptrdiff_t offset = second_offset + lag;
        switch (at_most(lags - lag, MOST_LAGS)) {
        case 1: correlate(first, second, first_offset, offset, rows, columns, sums + lag, 1); break;
        case 2: correlate(first, second, first_offset, offset, rows, columns, sums + lag, 2); break;
        case 3: correlate(first, second, first_offset, offset, rows, columns, sums + lag, 3); break;
        case 4: correlate(first, second, first_offset, offset, rows, columns, sums + lag, 4); break;
        default: correlate(first, second, first_offset, offset, rows, columns, sums + lag, MOST_LAGS); break;
        }
    }
}

DKP_INLINE double sum_lanes(const doubles *values) {
    double sum = 0;
    for (int lane = 0; lane < DOUBLES; lane++) sum += (*values)[lane];
    return sum;
}

/// The smallest integer not below value / divisor.
DKP_INLINE ptrdiff_t ceiling_divide(ptrdiff_t value, ptrdiff_t divisor) {
    return value >= 0 ? (value + divisor - 1) / divisor : -(-value / divisor);
}

/// All T[a][b][du][dv] for one (a, du >= 0), and their mirror images.
DKP_INLINE void correlate_image(const Build *build, ptrdiff_t a, ptrdiff_t du) {
    const dkp_degradation_shape *shape = &build->shape;
    const ptrdiff_t scale = shape->scale, size = shape->kernel_size, side = 2 * size - 1, height = shape->height;
    const ptrdiff_t rows = height / scale, plain = plain_stride(shape), wrapped = wrapped_stride(shape);
    const ptrdiff_t reach = reach_of(shape), stride = table_stride(size);
    // Rows that stay in the first-level cache while every pair of phases passes over them.
    const ptrdiff_t row_bytes = scale * (plain + wrapped) * (ptrdiff_t)sizeof(double);
    const ptrdiff_t group = at_most(row_bytes >= GROUP_BYTES ? 1 : GROUP_BYTES / row_bytes, MOST_ROWS);
    doubles sums[MOST_SCALE * (2 * MOST_KERNEL - 1)];
    memset(sums, 0, (size_t)(scale * side) * sizeof(doubles));

    const double *first[MOST_ROWS], *second[MOST_ROWS];
    for (ptrdiff_t channel = 0; channel < shape->channels; channel++) {
        for (ptrdiff_t row = 0; row < rows; row += group) {
            const ptrdiff_t count = at_most(group, rows - row);
            for (ptrdiff_t index = 0; index < count; index++) {
                const ptrdiff_t z = scale * (row + index) + a - size / 2;
                first[index] = build->plain + (channel * height + wrap(z, height)) * scale * plain;
                second[index] = build->wrapped + (channel * height + wrap(z + du, height)) * scale * wrapped;
            }
            doubles *next = sums;
            for (ptrdiff_t b = 0; b < scale; b++) {
                for (ptrdiff_t phase = 0; phase < scale; phase++) {
                    // dv = phase - b + s lag lies in -(n - 1)...n - 1.
                    const ptrdiff_t from = ceiling_divide(b - phase - (size - 1), scale);
                    const ptrdiff_t to = -ceiling_divide(-(b - phase + (size - 1)), scale);
                    if (to < from) continue;
                    correlate_all(
                        first, second, b * plain, phase * wrapped + reach + from, count, plain, next, to - from + 1);
                    next += to - from + 1;
                }
            }
        }
    }

    const doubles *next = sums;
    for (ptrdiff_t b = 0; b < scale; b++) {
        for (ptrdiff_t phase = 0; phase < scale; phase++) {
            const ptrdiff_t from = ceiling_divide(b - phase - (size - 1), scale);
            const ptrdiff_t to = -ceiling_divide(-(b - phase + (size - 1)), scale);
            for (ptrdiff_t lag = from; lag <= to; lag++) {
                const ptrdiff_t dv = phase - b + scale * lag;
                const double sum = sum_lanes(next++);
                build->table[((a * scale + b) * side + du + size - 1) * stride + dv + size - 1] = sum;
                const ptrdiff_t mirror = ((a + du) % scale) * scale + phase;
                if (du > 0) build->table[(mirror * side + size - 1 - du) * stride + size - 1 - dv] = sum;
            }
        }
    }
}

/// b[u][...]: correlations of the observed image with z.
DKP_INLINE void correlate_observed(const Build *build, ptrdiff_t u) {
    const dkp_degradation_shape *shape = &build->shape;
    const ptrdiff_t scale = shape->scale, size = shape->kernel_size, height = shape->height, rows = height / scale;
    const ptrdiff_t plain = plain_stride(shape), wrapped = wrapped_stride(shape);
    doubles sums[MOST_KERNEL] = {0};
    for (ptrdiff_t channel = 0; channel < shape->channels; channel++) {
        for (ptrdiff_t row = 0; row < rows; row++) {
            const double *first = build->target + (channel * rows + row) * plain;
            const double *second =
                build->wrapped + (channel * height + wrap(scale * row + u - size / 2, height)) * scale * wrapped;
            doubles *next = sums;
            for (ptrdiff_t phase = 0; phase < at_most(scale, size); phase++) {
                const ptrdiff_t lags = (size - phase + scale - 1) / scale;
                correlate_all(&first, &second, 0, phase * wrapped + reach_of(shape), 1, plain, next, lags);
                next += lags;
            }
        }
    }
    const doubles *next = sums;
    for (ptrdiff_t phase = 0; phase < at_most(scale, size); phase++)
        for (ptrdiff_t v = phase; v < size; v += scale) build->linear[u * size + v] = sum_lanes(next++);
}

DKP_HOT static void build_range(void *context, int part, ptrdiff_t begin, ptrdiff_t end) {
    (void)part;
    const Build *build = context;
    const ptrdiff_t size = build->shape.kernel_size;
    for (ptrdiff_t index = begin; index < end; index++) {
        if (index < size)
            correlate_observed(build, index);
        else
            correlate_image(build, (index - size) / size, (index - size) % size);
    }
}

double dkp_quadratic_build(const dkp_degradation_shape *shape, const float *image, const float *observed,
                           double *table, double *linear, double *scratch) {
    const ptrdiff_t rows = shape->channels * shape->height;
    Build build = {.shape = *shape, .image = image, .observed = observed, .table = table, .linear = linear};
    build.wrapped = scratch;
    build.plain = build.wrapped + rows * shape->scale * wrapped_stride(shape);
    build.target = build.plain + rows * shape->scale * plain_stride(shape);
    dkp_parallel_for(rows, grain_for(shape->scale * wrapped_stride(shape), 1 << 14), copy_image, &build);
    const double squares = copy_observed(&build);
    const ptrdiff_t cost = shape->channels * shape->height * shape->width / shape->scale * 2 * shape->kernel_size;
    dkp_parallel_for(shape->kernel_size * (1 + shape->scale), grain_for(cost, 1 << 17), build_range, &build);
    return squares;
}

// MARK: Evaluation

typedef struct {
    ptrdiff_t scale, size;
    const double *table, *linear;
    double constant;
    const float *kernels;
    double *losses;
    float *gradient;
} Evaluation;

/// The kernel in double precision, its rows followed by zeros up to a whole number of vectors.
DKP_INLINE void extend_kernel(const float *kernel, ptrdiff_t size, double *extended) {
    const ptrdiff_t stride = round_up(size, DOUBLES);
    memset(extended, 0, (size_t)(size * stride) * sizeof(double));
    for (ptrdiff_t u = 0; u < size; u++)
        for (ptrdiff_t v = 0; v < size; v++) extended[u * stride + v] = kernel[u * size + v];
}

/// Sum over `first` <= u' < `end` and all v' of G[(u, v), (u', v')] k[u'][v'].
DKP_INLINE double product(const Evaluation *evaluation, const double *kernel, ptrdiff_t u, ptrdiff_t v,
                          ptrdiff_t first, ptrdiff_t end) {
    const ptrdiff_t scale = evaluation->scale, size = evaluation->size, stride = table_stride(size);
    const ptrdiff_t vectors = round_up(size, DOUBLES);
    const double *correlations =
        evaluation->table + ((u % scale * scale + v % scale) * (2 * size - 1) + size - 1 - u) * stride + size - 1 - v;
    doubles sum = {0};
    for (ptrdiff_t other = first; other < end; other++)
        for (ptrdiff_t column = 0; column < vectors; column += DOUBLES)
            sum += DKP_LOAD_DOUBLES(correlations + other * stride + column)
                   * DKP_LOAD_DOUBLES(kernel + other * vectors + column);
    return sum_lanes(&sum);
}

DKP_HOT static void evaluate_losses(void *context, int part, ptrdiff_t begin, ptrdiff_t end) {
    (void)part;
    const Evaluation *evaluation = context;
    const ptrdiff_t size = evaluation->size, stride = round_up(size, DOUBLES);
    double kernel[MOST_KERNEL * (MOST_KERNEL + 1)];
    for (ptrdiff_t index = begin; index < end; index++) {
        extend_kernel(evaluation->kernels + index * size * size, size, kernel);
        double quadratic = 0, linear = 0;
        for (ptrdiff_t u = 0; u < size; u++) {
            for (ptrdiff_t v = 0; v < size; v++) {
                const double weight = kernel[u * stride + v];
                if (weight == 0) continue;
                // G is symmetric: what lies below row u counts twice.
                const double same = product(evaluation, kernel, u, v, u, u + 1);
                const double below = product(evaluation, kernel, u, v, u + 1, size);
                quadratic += weight * (same + 2 * below);
                linear += weight * evaluation->linear[u * size + v];
            }
        }
        evaluation->losses[index] = quadratic - 2 * linear + evaluation->constant;
    }
}

DKP_HOT static void evaluate_gradient(Evaluation *evaluation) {
    const ptrdiff_t size = evaluation->size, stride = round_up(size, DOUBLES);
    double kernel[MOST_KERNEL * (MOST_KERNEL + 1)];
    extend_kernel(evaluation->kernels, size, kernel);
    double loss = 0;
    for (ptrdiff_t u = 0; u < size; u++) {
        for (ptrdiff_t v = 0; v < size; v++) {
            const double linear = evaluation->linear[u * size + v];
            const double slope = product(evaluation, kernel, u, v, 0, size) - linear;
            loss += kernel[u * stride + v] * (slope - linear);
            evaluation->gradient[u * size + v] = (float)(2 * slope);
        }
    }
    *evaluation->losses = loss + evaluation->constant;
}

void dkp_quadratic_losses(ptrdiff_t scale, ptrdiff_t kernel_size, const double *table, const double *linear,
                          double constant, const float *kernels, ptrdiff_t count, double *losses) {
    Evaluation evaluation = {scale, kernel_size, table, linear, constant, kernels, losses, NULL};
    dkp_parallel_for(count, 2, evaluate_losses, &evaluation);
}

double dkp_quadratic_loss(ptrdiff_t scale, ptrdiff_t kernel_size, const double *table, const double *linear,
                          double constant, const float *kernel) {
    double loss = 0;
    Evaluation evaluation = {scale, kernel_size, table, linear, constant, kernel, &loss, NULL};
    evaluate_losses(&evaluation, 0, 0, 1);
    return loss;
}

double dkp_quadratic_gradient(ptrdiff_t scale, ptrdiff_t kernel_size, const double *table, const double *linear,
                              double constant, const float *kernel, float *gradient) {
    double loss = 0;
    Evaluation evaluation = {scale, kernel_size, table, linear, constant, kernel, &loss, gradient};
    evaluate_gradient(&evaluation);
    return loss;
}

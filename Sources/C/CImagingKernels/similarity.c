#include "CImagingKernels.h"
#include "CParallel.h"
#include "common.h"
#include <math.h>

// Structural similarity (Wang et al., 2004) and its gradient, in double precision: variances are differences of nearly
// equal numbers. With m, p, q the windowed means of a, a^2 and a b, S is a function of m, p, q at each pixel, and
//   dS/da = G (dS/dm) + 2 a G (dS/dp) + b G (dS/dq),  G the symmetric window.
// Two sets of planes take turns as source and target of three passes over rows:
//   1. products -> `sources`, filtered along rows -> `filtered`;
//   2. `filtered`, filtered along columns, gives S and its three derivatives -> `sources`;
//   3. `sources`, filtered along columns -> `filtered`, along rows -> the gradient.
// A row is MARGIN zeros, the columns, and zeros again, so that the window needs no border case along rows.

enum { RADIUS = 5, TAPS = 2 * RADIUS + 1, MARGIN = 8, PLANES = 3, SHARE_WORK = 1 << 13 };

static const double C1 = 0.01 * 0.01, C2 = 0.03 * 0.03;

typedef struct {
    ptrdiff_t rows, height, width, stride;
    double window[TAPS];
    const float *a, *b;
    /// Windowed means of b and b^2, one plane after the other.
    const double *statistics;
    double *prepared;
    double *sources, *filtered, *row_sums;
    double gradient_scale;
    float *gradient;
} Similarity;

static ptrdiff_t row_stride(ptrdiff_t width) { return round_up(width, DOUBLES) + 2 * MARGIN; }

ptrdiff_t dkp_ssim_statistics(ptrdiff_t channels, ptrdiff_t height, ptrdiff_t width) {
    return 2 * channels * height * row_stride(width);
}

ptrdiff_t dkp_ssim_scratch(ptrdiff_t channels, ptrdiff_t height, ptrdiff_t width) {
    return channels * height * (2 * PLANES * row_stride(width) + 1);
}

static Similarity make_similarity(ptrdiff_t channels, ptrdiff_t height, ptrdiff_t width, double *scratch) {
    Similarity job = {.rows = channels * height, .height = height, .width = width, .stride = row_stride(width)};
    double sum = 0;
    for (int tap = 0; tap < TAPS; tap++) {
        const double distance = tap - RADIUS;
        job.window[tap] = exp(-distance * distance / (2 * 1.5 * 1.5));
        sum += job.window[tap];
    }
    for (int tap = 0; tap < TAPS; tap++) job.window[tap] /= sum;
    job.sources = scratch;
    job.filtered = job.sources + PLANES * job.rows * job.stride;
    job.row_sums = job.filtered + PLANES * job.rows * job.stride;
    return job;
}

DKP_INLINE double *row_of(const Similarity *job, double *planes, int plane, ptrdiff_t row) {
    return planes + (plane * job->rows + row) * job->stride;
}

/// The window along the row, around `column` (counted with the margin).
DKP_INLINE void along_row(const Similarity *job, const double *row, ptrdiff_t column, doubles *result) {
    doubles sum = {0};
    for (int tap = 0; tap < TAPS; tap++) sum += job->window[tap] * DKP_LOAD_DOUBLES(row + column - RADIUS + tap);
    *result = sum;
}

/// The window along the column; rows outside the image count as zeros.
DKP_INLINE void along_column(const Similarity *job, double *planes, int plane, ptrdiff_t row, ptrdiff_t column,
                             doubles *result) {
    const ptrdiff_t line = row % job->height;
    const ptrdiff_t from = line < RADIUS ? -line : -RADIUS;
    const ptrdiff_t to = at_most(job->height - 1 - line, RADIUS);
    const double *source = row_of(job, planes, plane, row) + column;
    doubles sum = {0};
    for (ptrdiff_t offset = from; offset <= to; offset++)
        sum += job->window[offset + RADIUS] * DKP_LOAD_DOUBLES(source + offset * job->stride);
    *result = sum;
}

DKP_HOT static void filter_products(void *context, int part, ptrdiff_t begin, ptrdiff_t end) {
    (void)part;
    const Similarity *job = context;
    for (ptrdiff_t row = begin; row < end; row++) {
        double *products[PLANES];
        for (int plane = 0; plane < PLANES; plane++) {
            products[plane] = row_of(job, job->sources, plane, row);
            memset(products[plane], 0, (size_t)job->stride * sizeof(double));
        }
        for (ptrdiff_t column = 0; column < job->width; column++) {
            const double a = job->a[row * job->width + column], b = job->b[row * job->width + column];
            products[0][MARGIN + column] = a;
            products[1][MARGIN + column] = a * a;
            products[2][MARGIN + column] = a * b;
        }
        for (int plane = 0; plane < PLANES; plane++) {
            double *target = row_of(job, job->filtered, plane, row);
            for (ptrdiff_t column = MARGIN; column < job->stride - MARGIN; column += DOUBLES)
                along_row(job, products[plane], column, (doubles *)(target + column));
        }
    }
}

DKP_HOT static void filter_statistics(void *context, int part, ptrdiff_t begin, ptrdiff_t end) {
    (void)part;
    const Similarity *job = context;
    for (ptrdiff_t row = begin; row < end; row++)
        for (int plane = 0; plane < 2; plane++)
            for (ptrdiff_t column = MARGIN; column < job->stride - MARGIN; column += DOUBLES)
                along_column(job, job->filtered, plane, row, column,
                             (doubles *)(row_of(job, job->prepared, plane, row) + column));
}

DKP_HOT static void compare_rows(void *context, int part, ptrdiff_t begin, ptrdiff_t end) {
    (void)part;
    const Similarity *job = context;
    for (ptrdiff_t row = begin; row < end; row++) {
        double total = 0;
        double *derivatives[PLANES];
        for (int plane = 0; plane < PLANES; plane++) derivatives[plane] = row_of(job, job->sources, plane, row);
        for (ptrdiff_t column = MARGIN; column < job->stride - MARGIN; column += DOUBLES) {
            doubles mean_a, square_a, product;
            along_column(job, job->filtered, 0, row, column, &mean_a);
            along_column(job, job->filtered, 1, row, column, &square_a);
            along_column(job, job->filtered, 2, row, column, &product);
            const doubles mean_b = DKP_LOAD_DOUBLES(job->statistics + row * job->stride + column);
            const doubles square_b = DKP_LOAD_DOUBLES(job->statistics + (job->rows + row) * job->stride + column);
            const doubles means = 2 * mean_a * mean_b + C1, covariance = 2 * (product - mean_a * mean_b) + C2;
            const doubles mean_squares = mean_a * mean_a + mean_b * mean_b + C1;
            const doubles variances = square_a - mean_a * mean_a + square_b - mean_b * mean_b + C2;
            const doubles inverse = 1 / (mean_squares * variances);
            const doubles similarity = means * covariance * inverse;

            const ptrdiff_t lanes = at_most(job->width - (column - MARGIN), DOUBLES);
            for (ptrdiff_t lane = 0; lane < lanes; lane++) total += similarity[lane];
            if (!job->gradient) continue;
            // 1 / variances and 1 / mean_squares without two more divisions.
            const doubles by_variances = inverse * mean_squares, by_means = inverse * variances;
            *(doubles *)(derivatives[0] + column) =
                2 * mean_b * (covariance - means) * inverse + 2 * similarity * mean_a * (by_variances - by_means);
            *(doubles *)(derivatives[1] + column) = -similarity * by_variances;
            *(doubles *)(derivatives[2] + column) = 2 * means * inverse;
            for (int plane = 0; plane < PLANES; plane++)
                for (ptrdiff_t lane = lanes; lane < DOUBLES; lane++) derivatives[plane][column + lane] = 0;
        }
        job->row_sums[row] = total;
    }
}

DKP_HOT static void differentiate_rows(void *context, int part, ptrdiff_t begin, ptrdiff_t end) {
    (void)part;
    const Similarity *job = context;
    const double scale = job->gradient_scale;
    for (ptrdiff_t row = begin; row < end; row++) {
        double *lines[PLANES];
        for (int plane = 0; plane < PLANES; plane++) {
            lines[plane] = row_of(job, job->filtered, plane, row);
            for (ptrdiff_t column = 0; column < job->stride; column += DOUBLES)
                along_column(job, job->sources, plane, row, column, (doubles *)(lines[plane] + column));
        }
        for (ptrdiff_t first = 0; first < job->width; first += DOUBLES) {
            doubles mean, square, product;
            along_row(job, lines[0], MARGIN + first, &mean);
            along_row(job, lines[1], MARGIN + first, &square);
            along_row(job, lines[2], MARGIN + first, &product);
            const ptrdiff_t offset = row * job->width + first;
            for (ptrdiff_t lane = 0; lane < at_most(job->width - first, DOUBLES); lane++) {
                const double a = job->a[offset + lane], b = job->b[offset + lane];
                job->gradient[offset + lane] = (float)(scale * (mean[lane] + 2 * a * square[lane] + b * product[lane]));
            }
        }
    }
}

void dkp_ssim_prepare(ptrdiff_t channels, ptrdiff_t height, ptrdiff_t width, const float *b, double *statistics,
                      double *scratch) {
    Similarity job = make_similarity(channels, height, width, scratch);
    job.a = b;
    job.b = b;
    job.prepared = statistics;
    memset(statistics, 0, (size_t)dkp_ssim_statistics(channels, height, width) * sizeof(double));
    dkp_parallel_for(job.rows, grain_for(width * PLANES * TAPS, SHARE_WORK), filter_products, &job);
    dkp_parallel_for(job.rows, grain_for(width * PLANES * TAPS, SHARE_WORK), filter_statistics, &job);
}

double dkp_ssim(ptrdiff_t channels, ptrdiff_t height, ptrdiff_t width, const float *a, const float *b,
                const double *statistics, double gradient_scale, float *gradient, double *scratch) {
    Similarity job = make_similarity(channels, height, width, scratch);
    const ptrdiff_t count = job.rows * width, grain = grain_for(width * PLANES * TAPS, SHARE_WORK);
    job.a = a;
    job.b = b;
    job.statistics = statistics;
    job.gradient = gradient;
    job.gradient_scale = gradient_scale / (double)count;
    dkp_parallel_for(job.rows, grain, filter_products, &job);
    dkp_parallel_for(job.rows, grain, compare_rows, &job);
    if (gradient) dkp_parallel_for(job.rows, grain, differentiate_rows, &job);
    double total = 0;
    for (ptrdiff_t row = 0; row < job.rows; row++) total += job.row_sums[row];
    return total / (double)count;
}

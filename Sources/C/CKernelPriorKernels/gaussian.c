#include <math.h>

#include "CKernelPriorKernels.h"

// Cubic B-spline interpolation after Unser, Aldroubi and Eden (1993). Outside the samples the spline's coefficients
// are mirrored about the outermost ones; a position outside the samples has the value zero.

enum { largest_size = 64 };

// The index that `index` is mirrored to in 0..<count.
static ptrdiff_t mirrored(ptrdiff_t index, ptrdiff_t count) {
    if (count == 1) return 0;
    if (index < 0) index = -index;
    if (index >= count) index = 2 * (count - 1) - index;
    return index;
}

// Turns `count` samples, `stride` apart, into B-spline coefficients in place: two recursive filters at the pole.
static void spline_coefficients(double *line, ptrdiff_t count, ptrdiff_t stride) {
    if (count < 2) return;
    const double pole = sqrt(3.0) - 2;
    for (ptrdiff_t i = 0; i < count; ++i) line[i * stride] *= 6;

    const double last_power = pow(pole, (double)(count - 1));
    double power = pole, start = line[0] + last_power * line[(count - 1) * stride];
    for (ptrdiff_t i = 1; i < count - 1; ++i) {
        start += power * (line[i * stride] + last_power * line[(count - 1 - i) * stride]);
        power *= pole;
    }
    line[0] = start / (1 - last_power * last_power);
    for (ptrdiff_t i = 1; i < count; ++i) line[i * stride] += pole * line[(i - 1) * stride];

    double *end = line + (count - 1) * stride;
    *end = (pole * end[-stride] + *end) * pole / (pole * pole - 1);
    for (ptrdiff_t i = count - 2; i >= 0; --i)
        line[i * stride] = pole * (line[(i + 1) * stride] - line[i * stride]);
}

// Evaluates the spline at i - shift for every i of a line; zero where that lies outside [0, count - 1].
static void shift_line(
    const double *line, ptrdiff_t count, ptrdiff_t stride, double shift, double *result, ptrdiff_t result_stride) {
    const double whole = floor(-shift);
    const double t = -shift - whole, u = 1 - t;
    const double weights[4] = {
        u * u * u / 6, (t * t * (t - 2) * 3 + 4) / 6, (u * u * (u - 2) * 3 + 4) / 6, t * t * t / 6};
    for (ptrdiff_t i = 0; i < count; ++i) {
        const double position = (double)i - shift;
        double value = 0;
        if (position >= 0 && position <= (double)(count - 1)) {
            const ptrdiff_t first = i + (ptrdiff_t)whole - 1;
            for (int tap = 0; tap < 4; ++tap)
                value += weights[tap] * line[mirrored(first + tap, count) * stride];
        }
        result[i * result_stride] = value;
    }
}

void dkp_gaussian_kernel(
    double *kernel, ptrdiff_t size, double mean, double centre, double xx, double xy, double yy) {
    double samples[largest_size * largest_size], shifted[largest_size * largest_size];
    double total = 0, row_moment = 0, column_moment = 0;
    for (ptrdiff_t row = 0; row < size; ++row)
        for (ptrdiff_t column = 0; column < size; ++column) {
            const double y = (double)row - mean, x = (double)column - mean;
            const double value = exp(-0.5 * (xx * x * x + 2 * xy * x * y + yy * y * y));
            samples[row * size + column] = value;
            total += value;
            row_moment += value * (double)row;
            column_moment += value * (double)column;
        }

    // Both filters are separable, and a line of zeros stays zero, so the axes can be done one after the other.
    const double row_shift = centre - row_moment / total, column_shift = centre - column_moment / total;
    for (ptrdiff_t column = 0; column < size; ++column) {
        spline_coefficients(samples + column, size, size);
        shift_line(samples + column, size, size, row_shift, shifted + column, size);
    }
    for (ptrdiff_t row = 0; row < size; ++row) {
        spline_coefficients(shifted + row * size, size, 1);
        shift_line(shifted + row * size, size, 1, column_shift, kernel + row * size, 1);
    }

    total = 0;
    for (ptrdiff_t i = 0; i < size * size; ++i) {
        kernel[i] = kernel[i] > 0 ? kernel[i] : 0;
        total += kernel[i];
    }
    for (ptrdiff_t i = 0; i < size * size; ++i) kernel[i] /= total;
}

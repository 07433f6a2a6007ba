#include <math.h>

#include "CKernelPriorKernels.h"

// fmin and fmax are calls into the library, for the sake of NaN.
static double smaller(double a, double b) { return a < b ? a : b; }
static double larger(double a, double b) { return a > b ? a : b; }

void dkp_motion_path(
    double *x, double *y, ptrdiff_t points, double length, double x_direction, double y_direction,
    const double *turns, ptrdiff_t segments, double pull, const dkp_shake *shakes, ptrdiff_t shake_count) {
    const ptrdiff_t steps = points - 1;
    const double step = length / (double)steps;
    double dx = x_direction, dy = y_direction;
    ptrdiff_t next_shake = 0, next_segment = 0, segment_end = 0;
    double cosine = 1, sine = 0;
    x[0] = y[0] = 0;
    for (ptrdiff_t i = 0; i < steps; ++i) {
        if (i == segment_end && next_segment < segments) {
            const ptrdiff_t begin = segment_end;
            double turn = 0;
            // Segments shorter than a step turn together with the next one that is not.
            do {
                turn += turns[next_segment++];
                segment_end = steps * next_segment / segments;
            } while (segment_end == begin && next_segment < segments);
            turn /= (double)(segment_end - begin);
            cosine = cos(turn);
            sine = sin(turn);
        }
        double nx = dx * cosine - dy * sine - pull * x[i], ny = dx * sine + dy * cosine - pull * y[i];
        while (next_shake < shake_count && shakes[next_shake].step <= i) {
            const dkp_shake shake = shakes[next_shake++];
            const double rotated = nx * shake.cosine - ny * shake.sine;
            ny = nx * shake.sine + ny * shake.cosine;
            nx = rotated;
        }
        // Inertia: the speed never changes, only the direction does.
        const double excess = nx * nx + ny * ny - 1;
        double inverse;
        if (fabs(excess) < 0.02)
            // The series of (1 + e)^(-1/2), good to 5e-8, which the next step corrects; a root and a division would wait
            // for one another 2,000 times over.
            inverse = 1 - excess * (0.5 - excess * (0.375 - 0.3125 * excess));
        else
            inverse = excess > -1 + 1e-12 ? 1 / sqrt(1 + excess) : 1;
        dx = nx * inverse;
        dy = ny * inverse;
        x[i + 1] = x[i] + step * dx;
        y[i + 1] = y[i] + step * dy;
    }
}

void dkp_splat_path(double *kernel, ptrdiff_t size, double centre, double *x, double *y, ptrdiff_t points) {
    double mean_x = 0, mean_y = 0;
    for (ptrdiff_t i = 0; i < points; ++i) {
        mean_x += x[i];
        mean_y += y[i];
    }
    mean_x /= (double)points;
    mean_y /= (double)points;

    double lowest = 0, highest = 0;
    for (ptrdiff_t i = 0; i < points; ++i) {
        x[i] -= mean_x;
        y[i] -= mean_y;
        lowest = smaller(lowest, smaller(x[i], y[i]));
        highest = larger(highest, larger(x[i], y[i]));
    }
    const double room_below = centre, room_above = (double)(size - 1) - centre;
    double shrink = 1;
    if (-lowest > room_below) shrink = smaller(shrink, room_below / -lowest);
    if (highest > room_above) shrink = smaller(shrink, room_above / highest);

    for (ptrdiff_t i = 0; i < size * size; ++i) kernel[i] = 0;
    const double mass = 1 / (double)points;
    for (ptrdiff_t i = 0; i < points; ++i) {
        const double px = centre + shrink * x[i], py = centre + shrink * y[i];
        // The last row and column are reached with weight one from the cell before them. A number that is none falls on
        // the last cell: converted to an integer it would be anything.
        const double last = (double)(size - 2);
        const ptrdiff_t column = (ptrdiff_t)larger(smaller(px, last), 0), row = (ptrdiff_t)larger(smaller(py, last), 0);
        const double fx = smaller(larger(px - (double)column, 0), 1), fy = smaller(larger(py - (double)row, 0), 1);
        double *cell = kernel + row * size + column;
        cell[0] += mass * (1 - fx) * (1 - fy);
        cell[1] += mass * fx * (1 - fy);
        cell[size] += mass * (1 - fx) * fy;
        cell[size + 1] += mass * fx * fy;
    }
}

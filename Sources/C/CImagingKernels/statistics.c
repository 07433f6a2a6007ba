#include <math.h>

#include "CImagingKernels.h"
#include "common.h"

DKP_HOT static void add_squares(const double *values, ptrdiff_t rows, ptrdiff_t columns, double *restrict sums) {
    for (ptrdiff_t row = 0; row < rows; row++) {
        const double *sample = values + row * columns;
        for (ptrdiff_t first = 0; first < columns; first++) {
            const double factor = sample[first];
            double *restrict target = sums + first * columns;
            for (ptrdiff_t second = first; second < columns; second++) target[second] += factor * sample[second];
        }
    }
}

void dkp_covariance(double *values, ptrdiff_t rows, ptrdiff_t columns, double *covariance) {
    for (ptrdiff_t column = 0; column < columns; column++) {
        double mean = 0;
        for (ptrdiff_t row = 0; row < rows; row++) mean += values[row * columns + column];
        mean /= (double)rows;
        for (ptrdiff_t row = 0; row < rows; row++) values[row * columns + column] -= mean;
    }
    memset(covariance, 0, (size_t)(columns * columns) * sizeof(double));
    add_squares(values, rows, columns, covariance);
    for (ptrdiff_t first = 0; first < columns; first++)
        for (ptrdiff_t second = first; second < columns; second++) {
            covariance[first * columns + second] /= (double)rows;
            covariance[second * columns + first] = covariance[first * columns + second];
        }
}

// Jacobi's rotations, row by row until what is beside the diagonal is nothing beside it.
void dkp_symmetric_eigenvalues(double *matrix, ptrdiff_t count, double *values) {
    for (int sweep = 0; sweep < 30; sweep++) {
        double beside = 0, diagonal = 0;
        for (ptrdiff_t p = 0; p < count; p++) {
            diagonal += matrix[p * count + p] * matrix[p * count + p];
            for (ptrdiff_t q = p + 1; q < count; q++) beside += matrix[p * count + q] * matrix[p * count + q];
        }
        if (beside <= 1e-24 * diagonal) break;
        for (ptrdiff_t p = 0; p < count; p++)
            for (ptrdiff_t q = p + 1; q < count; q++) {
                const double corner = matrix[p * count + q];
                if (corner == 0) continue;
                const double slope = (matrix[q * count + q] - matrix[p * count + p]) / (2 * corner);
                const double tangent = (slope >= 0 ? 1 : -1) / (fabs(slope) + sqrt(slope * slope + 1));
                const double cosine = 1 / sqrt(tangent * tangent + 1), sine = tangent * cosine;
                double *one = matrix + p * count, *other = matrix + q * count;
                for (ptrdiff_t index = 0; index < count; index++) {
                    const double a = one[index], b = other[index];
                    one[index] = cosine * a - sine * b;
                    other[index] = sine * a + cosine * b;
                }
                for (ptrdiff_t index = 0; index < count; index++) {
                    double *row = matrix + index * count;
                    const double a = row[p], b = row[q];
                    row[p] = cosine * a - sine * b;
                    row[q] = sine * a + cosine * b;
                }
            }
    }
    for (ptrdiff_t index = 0; index < count; index++) values[index] = matrix[index * count + index];
}

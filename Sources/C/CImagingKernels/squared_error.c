#include "CImagingKernels.h"
#include "common.h"

// One pass over a low-resolution image: too little work to divide.
DKP_HOT double dkp_mean_squared_error(const float *a, const float *b, ptrdiff_t count, float *gradient) {
    doubles sums = {0};
    const ptrdiff_t whole = count / DOUBLES * DOUBLES;
    for (ptrdiff_t index = 0; index < whole; index += DOUBLES) {
        for (int lane = 0; lane < DOUBLES; lane++) {
            const double difference = (double)a[index + lane] - (double)b[index + lane];
            sums[lane] += difference * difference;
        }
    }
    double total = 0;
    for (int lane = 0; lane < DOUBLES; lane++) total += sums[lane];
    for (ptrdiff_t index = whole; index < count; index++) {
        const double difference = (double)a[index] - (double)b[index];
        total += difference * difference;
    }
    if (gradient) {
        const float scale = (float)(2 / (double)count);
        for (ptrdiff_t index = 0; index < count; index++) gradient[index] = scale * (a[index] - b[index]);
    }
    return total / (double)count;
}

#pragma once
#include <stddef.h>

/// The hot loops of the imaging model: the blur-and-decimate operator with its adjoints, the quadratic form of the
/// kernel loss, and the image losses. All images are [channels][height][width], kernels [n][n], row-major.
///
/// Nothing here allocates: the caller passes scratch memory of the size that the matching `..._scratch` function gives
/// (in elements). Results do not depend on the number of threads: every reduction has a fixed order.

/// Geometry of y = (x (*) k) |s. `height` and `width` are those of the high-resolution image x, multiples of `scale`.
/// scale: 1...8; kernel_size: odd, 1...63.
typedef struct {
    ptrdiff_t channels, height, width, scale, kernel_size;
} dkp_degradation_shape;

// MARK: The operator

ptrdiff_t dkp_degrade_scratch(const dkp_degradation_shape *_Nonnull shape);
/// output[c][i][j] = sum over u, v of kernel[u][v] image[c][(s i + u - n/2) mod H][(s j + v - n/2) mod W].
void dkp_degrade(const dkp_degradation_shape *_Nonnull shape, const float *_Nonnull image,
                 const float *_Nonnull kernel, float *_Nonnull output, float *_Nonnull scratch);

ptrdiff_t dkp_degrade_adjoint_image_scratch(const dkp_degradation_shape *_Nonnull shape);
/// The transpose of `image -> output`, applied to `residual` [channels][H/s][W/s]; overwrites `gradient`.
void dkp_degrade_adjoint_image(const dkp_degradation_shape *_Nonnull shape, const float *_Nonnull residual,
                               const float *_Nonnull kernel, float *_Nonnull gradient, float *_Nonnull scratch);

ptrdiff_t dkp_degrade_adjoint_kernel_scratch(const dkp_degradation_shape *_Nonnull shape);
/// The transpose of `kernel -> output`, applied to `residual`; overwrites `gradient` [n][n].
void dkp_degrade_adjoint_kernel(const dkp_degradation_shape *_Nonnull shape, const float *_Nonnull residual,
                                const float *_Nonnull image, float *_Nonnull gradient, float *_Nonnull scratch);

// MARK: || y - (x (*) k)|s ||^2 as a function of k

/// Elements of the table of correlations.
ptrdiff_t dkp_quadratic_table_count(ptrdiff_t scale, ptrdiff_t kernel_size);
/// Elements of one of the table's rows: [s][s][2 n - 1][stride].
ptrdiff_t dkp_quadratic_table_stride(ptrdiff_t kernel_size);
ptrdiff_t dkp_quadratic_scratch(const dkp_degradation_shape *_Nonnull shape);
/// Computes the correlations of x with itself and of x with y, and the sum of squares of y, in double precision.
/// `linear` has n * n elements; returns the sum of squares of y.
double dkp_quadratic_build(const dkp_degradation_shape *_Nonnull shape, const float *_Nonnull image,
                           const float *_Nonnull observed, double *_Nonnull table, double *_Nonnull linear,
                           double *_Nonnull scratch);
/// k'Gk - 2 b'k + c.
double dkp_quadratic_loss(ptrdiff_t scale, ptrdiff_t kernel_size, const double *_Nonnull table,
                          const double *_Nonnull linear, double constant, const float *_Nonnull kernel);
/// The same for `count` kernels one after another, in parallel.
void dkp_quadratic_losses(ptrdiff_t scale, ptrdiff_t kernel_size, const double *_Nonnull table,
                          const double *_Nonnull linear, double constant, const float *_Nonnull kernels,
                          ptrdiff_t count, double *_Nonnull losses);
/// The same for one kernel, with the gradient 2 (Gk - b).
double dkp_quadratic_gradient(ptrdiff_t scale, ptrdiff_t kernel_size, const double *_Nonnull table,
                              const double *_Nonnull linear, double constant, const float *_Nonnull kernel,
                              float *_Nonnull gradient);

/// Elements of the scratch memory of ``dkp_weighted_gram``.
ptrdiff_t dkp_weighted_gram_scratch(const dkp_degradation_shape *_Nonnull shape);
/// The Gram matrix [n * n + 1][n * n + 1] of the windows that each sample of `observed` reads, with the sample itself as
/// the last column, summed with a weight per sample [channels][H/s][W/s]; samples of weight 0 cost nothing.
void dkp_weighted_gram(const dkp_degradation_shape *_Nonnull shape, const float *_Nonnull image,
                       const float *_Nonnull observed, const float *_Nonnull weights, double *_Nonnull gram,
                       float *_Nonnull scratch);

/// output = matrix input for a symmetric matrix [count][count].
void dkp_symmetric_product(ptrdiff_t count, const double *_Nonnull matrix, const double *_Nonnull input,
                           double *_Nonnull output);

// MARK: Statistics

/// The covariance [columns][columns] of `rows` samples [rows][columns], whose mean is taken off them in place.
void dkp_covariance(double *_Nonnull values, ptrdiff_t rows, ptrdiff_t columns, double *_Nonnull covariance);
/// The eigenvalues of a symmetric matrix [count][count], in no order; the matrix is used up.
void dkp_symmetric_eigenvalues(double *_Nonnull matrix, ptrdiff_t count, double *_Nonnull values);

// MARK: Losses between images

/// Mean of (a - b)^2; `gradient` (may be null) receives 2 (a - b) / count.
double dkp_mean_squared_error(const float *_Nonnull a, const float *_Nonnull b, ptrdiff_t count,
                              float *_Nullable gradient);

/// Elements of the statistics of the fixed image of an SSIM, and of its scratch.
ptrdiff_t dkp_ssim_statistics(ptrdiff_t channels, ptrdiff_t height, ptrdiff_t width);
ptrdiff_t dkp_ssim_scratch(ptrdiff_t channels, ptrdiff_t height, ptrdiff_t width);
/// The windowed means of b and b^2, needed once for a fixed b.
void dkp_ssim_prepare(ptrdiff_t channels, ptrdiff_t height, ptrdiff_t width, const float *_Nonnull b,
                      double *_Nonnull statistics, double *_Nonnull scratch);
/// Mean SSIM of a and b (11 x 11 Gaussian window of sigma 1.5, zero padding); `gradient` (may be null) receives
/// `gradient_scale` times its derivative with respect to a.
double dkp_ssim(ptrdiff_t channels, ptrdiff_t height, ptrdiff_t width, const float *_Nonnull a,
                const float *_Nonnull b, const double *_Nonnull statistics, double gradient_scale,
                float *_Nullable gradient, double *_Nonnull scratch);

ptrdiff_t dkp_gradient_prior_scratch(ptrdiff_t height, ptrdiff_t width);
/// Sum over four difference filters, channels and pixels of (|response| + 1e-8)^0.67, reflected at the border;
/// `gradient` (may be null) has `gradient_scale` times its derivative added. height and width: at least 2.
/// `row_sums`: height elements.
double dkp_gradient_prior(ptrdiff_t channels, ptrdiff_t height, ptrdiff_t width, const float *_Nonnull image,
                          float gradient_scale, float *_Nullable gradient, float *_Nonnull scratch,
                          double *_Nonnull row_sums);
/// output = input^0.67 for finite normal positive inputs, as the prior computes it; for tests of its accuracy.
void dkp_power_067(const float *_Nonnull input, float *_Nonnull output, ptrdiff_t count);

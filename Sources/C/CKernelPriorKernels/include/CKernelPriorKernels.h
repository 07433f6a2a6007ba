#pragma once
#include <stddef.h>

// Fully connected layers for one sample. Weights are row-major, rows = outputs, columns = inputs. Each result is the
// same whatever the number of threads.

/// output = weights input + bias.
void dkp_linear_forward(
    const float *_Nonnull weights, const float *_Nonnull bias, const float *_Nonnull input, float *_Nonnull output,
    ptrdiff_t rows, ptrdiff_t columns);

/// input_gradient = weights^T output_gradient.
void dkp_linear_backward_input(
    const float *_Nonnull weights, const float *_Nonnull output_gradient, float *_Nonnull input_gradient,
    ptrdiff_t rows, ptrdiff_t columns);

/// weight_gradients += output_gradient input^T and bias_gradients += output_gradient.
void dkp_linear_accumulate(
    const float *_Nonnull output_gradient, const float *_Nonnull input, float *_Nonnull weight_gradients,
    float *_Nonnull bias_gradients, ptrdiff_t rows, ptrdiff_t columns);

/// output = min(max(input, 0), 6); the two may be the same array.
void dkp_relu6_forward(const float *_Nonnull input, float *_Nonnull output, ptrdiff_t count);

/// gradient = 0 wherever the unit's output is at or beyond 0 or 6.
void dkp_relu6_backward(const float *_Nonnull output, float *_Nonnull gradient, ptrdiff_t count);

/// output = exp(input) / sum(exp(input)), safe from overflow.
void dkp_softmax_forward(const float *_Nonnull input, float *_Nonnull output, ptrdiff_t count);

/// input_gradient = output * (output_gradient - sum(output * output_gradient)).
void dkp_softmax_backward(
    const float *_Nonnull output, const float *_Nonnull output_gradient, float *_Nonnull input_gradient,
    ptrdiff_t count);

/// A Gaussian kernel of `size` x `size`, sum 1, as the golden formula has it: the density with its mean at `mean` on
/// both axes and the precision matrix (xx, xy, yy), x along columns, moved by a cubic-spline shift (zero outside,
/// mirrored spline coefficients) so that the truncated density's centre of mass goes to `centre` on both axes, then
/// clipped at zero and normalised. `size` is at most 64.
void dkp_gaussian_kernel(
    double *_Nonnull kernel, ptrdiff_t size, double mean, double centre, double xx, double xy, double yy);

/// A turn in a camera-shake path: at step `step`, by `cosine`, `sine`.
typedef struct {
    ptrdiff_t step;
    double cosine, sine;
} dkp_shake;

/// Walks a path of `points` points with unit direction (`x_direction`, `y_direction`) at its start and steps of
/// `length` / (`points` - 1) pixels. The direction turns by `turns[segment]` radians spread evenly over each of
/// `segments` equal segments, is pulled back to the origin by `pull` per pixel of distance, and jumps at the shakes
/// (sorted by step). Writes `points` pairs of coordinates.
void dkp_motion_path(
    double *_Nonnull x, double *_Nonnull y, ptrdiff_t points, double length, double x_direction, double y_direction,
    const double *_Nonnull turns, ptrdiff_t segments, double pull, const dkp_shake *_Nonnull shakes,
    ptrdiff_t shake_count);

/// Moves the path so that its mean lies at `centre` on both axes, shrinking it about that mean just enough to stay on
/// the grid, and splats it bilinearly on `size` x `size`, sum 1. The path is changed in place.
void dkp_splat_path(
    double *_Nonnull kernel, ptrdiff_t size, double centre, double *_Nonnull x, double *_Nonnull y, ptrdiff_t points);

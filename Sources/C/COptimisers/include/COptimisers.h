#pragma once
#include <stddef.h>
#include <stdint.h>

/// One step of Adam (Kingma & Ba 2015, Algorithm 1) on `count` parameters, in place, for the `step`-th time:
///     m <- beta1 m + (1 - beta1) g,   v <- beta2 v + (1 - beta2) g^2
///     p <- p - learning_rate / (1 - beta1^t) * m / (sqrt(v) / sqrt(1 - beta2^t) + epsilon),   t = step
/// `step` counts from 1. Elements are independent, so the result does not depend on the number of threads.
/// The four arrays must not overlap.
void dkp_adam_step(
    float *_Nonnull parameters, const float *_Nonnull gradients, float *_Nonnull first_moments,
    float *_Nonnull second_moments, ptrdiff_t count, double learning_rate, double beta1, double beta2, double epsilon,
    int64_t step);

// One concern of the kernels for one (scalar, block); included by Kernels.inc.h alone.

// MARK: Activations

INLINE void NAME(logistic)(const VEC *x, VEC *r) {
    VEC e = -*x;
    NAME(exponential)(&e, &e);
    *r = 1.0f / (1.0f + e);
}

INLINE void NAME(activate)(VEC *v, dkp_activation_kind kind, float slope) {
    const VEC zero = {0};
    switch (kind) {
    case DKP_IDENTITY: break;
    case DKP_LEAKY_RELU: {
        MASK m = *v > zero;
        VEC s = *v * slope;
        NAME(select)(&m, v, &s, v);
        break;
    }
    case DKP_RELU6: {
        VEC six = zero + 6.0f;
        MASK m = *v > zero;
        NAME(select)(&m, v, &zero, v);
        m = *v < six;
        NAME(select)(&m, v, &six, v);
        break;
    }
    case DKP_SILU: {
        VEC s;
        NAME(logistic)(v, &s);
        *v = *v * s;
        break;
    }
    case DKP_SIGMOID: {
        VEC s;
        NAME(logistic)(v, &s);
        *v = s;
        break;
    }
    }
}

// g *= activation'(v)
INLINE void NAME(differentiate)(const VEC *v, VEC *g, dkp_activation_kind kind, float slope) {
    const VEC zero = {0};
    switch (kind) {
    case DKP_IDENTITY: break;
    case DKP_LEAKY_RELU: {
        MASK m = *v > zero;
        VEC s = *g * slope;
        NAME(select)(&m, g, &s, g);
        break;
    }
    case DKP_RELU6: {
        MASK m = (*v > zero) & (*v < zero + 6.0f);
        NAME(select)(&m, g, &zero, g);
        break;
    }
    case DKP_SILU: {
        VEC s;
        NAME(logistic)(v, &s);
        *g = *g * s * (1.0f + *v * (1.0f - s));
        break;
    }
    case DKP_SIGMOID: {
        VEC s;
        NAME(logistic)(v, &s);
        *g = *g * s * (1.0f - s);
        break;
    }
    }
}

// Calls STATEMENT with `kind` a constant, so that the row loop is specialised.
#define WITH_CONSTANT_KIND(runtime, STATEMENT)                                              \
    switch (runtime) {                                                                      \
    case DKP_IDENTITY: { enum { kind = DKP_IDENTITY }; STATEMENT; break; }                  \
    case DKP_LEAKY_RELU: { enum { kind = DKP_LEAKY_RELU }; STATEMENT; break; }              \
    case DKP_RELU6: { enum { kind = DKP_RELU6 }; STATEMENT; break; }                        \
    case DKP_SILU: { enum { kind = DKP_SILU }; STATEMENT; break; }                          \
    case DKP_SIGMOID: { enum { kind = DKP_SIGMOID }; STATEMENT; break; }                    \
    }

// MARK: Batch normalization

INLINE void NAME(add_to_doubles)(double *target, const VEC *v) {
    for (int i = 0; i < BLOCK; i++) target[i] += (double)(*v)[i];
}

// Sums of (x - x0) and (x - x0)^2, x0 being the channel's first pixel: a large common offset costs no digits.
KERNEL void NAME(statistics)(void *context, int part, ptrdiff_t begin, ptrdiff_t end) {
    (void)part;
    const Reduction *r = context;
    for (ptrdiff_t task = begin; task < end; task++) {
        const int plane = chunk_plane(r->x, task), chunk = chunk_of(r->x, task);
        double *sums = r->scratch + ((ptrdiff_t)plane * REDUCTION_CHUNKS + chunk) * 2 * BLOCK;
        for (int i = 0; i < 2 * BLOCK; i++) sums[i] = 0;
        const ptrdiff_t step = r->x->pixel_stride;
        LOAD(origin, ROW(r->x, plane, 0));
        for (int row = chunk_begin(r->x->height, chunk); row < chunk_begin(r->x->height, chunk + 1); row++) {
            const SCALAR *x = ROW(r->x, plane, row);
            VEC sum = {0}, squares = {0};
            for (int c = 0; c < r->x->width; c++) {
                LOAD(v, x + c * step);
                v -= origin;
                sum += v;
                squares += v * v;
            }
            NAME(add_to_doubles)(sums, &sum);
            NAME(add_to_doubles)(sums + BLOCK, &squares);
        }
    }
}

INLINE void NAME(origin)(const dkp_feature_map *x, int plane, float *result) {
    LOAD(v, ROW(x, plane, 0));
    memcpy(result, &v, sizeof v);
}

static void NAME(read_origin)(const dkp_feature_map *x, int plane, float *result) { NAME(origin)(x, plane, result); }

INLINE void NAME(affine_row)(
    PIXELS x, PIXELS residual, PIXELS y, int width, const VEC *scale, const VEC *shift, dkp_activation_kind kind,
    float slope) {
    for (ptrdiff_t c = 0; c < width; c++) {
        LOAD(v, x.first + c * x.step);
        v = v * *scale + *shift;
        NAME(activate)(&v, kind, slope);
        if (residual.first) {
            LOAD(r, residual.first + c * residual.step);
            v += r;
        }
        STORE(y.first + c * y.step, v);
    }
}

KERNEL void NAME(affine)(void *context, int part, ptrdiff_t begin, ptrdiff_t end) {
    (void)part;
    const Affine *a = context;
    for (ptrdiff_t task = begin; task < end; task++) {
        const int plane = row_plane(a->x, task), row = row_of(a->x, task);
        VEC scale = (VEC){0} + 1.0f, shift = {0};
        if (a->scale) memcpy(&scale, a->scale + plane * BLOCK, sizeof scale);
        if (a->shift) memcpy(&shift, a->shift + plane * BLOCK, sizeof shift);
        const PIXELS residual = a->residual ? PIXELS_OF(a->residual, plane, row) : (PIXELS){0};
        WITH_CONSTANT_KIND(
            a->activation.kind,
            NAME(affine_row)(
                PIXELS_OF(a->x, plane, row), residual, PIXELS_OF(a->y, plane, row), a->x->width, &scale, &shift, kind,
                a->activation.slope))
    }
}

INLINE void NAME(backward_sums_row)(
    PIXELS x, PIXELS dy, int width, const VEC *scale, const VEC *shift, const VEC *mean, VEC *sum, VEC *moment,
    dkp_activation_kind kind, float slope) {
    for (ptrdiff_t c = 0; c < width; c++) {
        LOAD(v, x.first + c * x.step);
        LOAD(g, dy.first + c * dy.step);
        VEC pre = v * *scale + *shift;
        NAME(differentiate)(&pre, &g, kind, slope);
        *sum += g;
        *moment += g * (v - *mean);
    }
}

KERNEL void NAME(backward_sums)(void *context, int part, ptrdiff_t begin, ptrdiff_t end) {
    (void)part;
    const Reduction *r = context;
    for (ptrdiff_t task = begin; task < end; task++) {
        const int plane = chunk_plane(r->x, task), chunk = chunk_of(r->x, task);
        double *sums = r->scratch + ((ptrdiff_t)plane * REDUCTION_CHUNKS + chunk) * 2 * BLOCK;
        for (int i = 0; i < 2 * BLOCK; i++) sums[i] = 0;
        VEC scale, shift, mean;
        memcpy(&scale, r->statistics->scale + plane * BLOCK, sizeof scale);
        memcpy(&shift, r->statistics->shift + plane * BLOCK, sizeof shift);
        memcpy(&mean, r->statistics->mean + plane * BLOCK, sizeof mean);
        for (int row = chunk_begin(r->x->height, chunk); row < chunk_begin(r->x->height, chunk + 1); row++) {
            VEC sum = {0}, moment = {0};
            WITH_CONSTANT_KIND(
                r->activation.kind,
                NAME(backward_sums_row)(
                    PIXELS_OF(r->x, plane, row), PIXELS_OF(r->dy, plane, row), r->x->width, &scale, &shift, &mean, &sum,
                    &moment, kind, r->activation.slope))
            NAME(add_to_doubles)(sums, &sum);
            NAME(add_to_doubles)(sums + BLOCK, &moment);
        }
    }
}

INLINE void NAME(zero_pixels)(PIXELS pixels, int begin, int end) {
    for (ptrdiff_t c = begin; c < end; c++) memset(pixels.first + c * pixels.step, 0, BLOCK * sizeof(SCALAR));
}

INLINE void NAME(zero_halo_row)(const dkp_feature_map *map, int plane, int row) {
    const PIXELS pixels = PIXELS_OF(map, plane, row);
    if (row < 0 || row >= map->height) {
        NAME(zero_pixels)(pixels, -map->halo, map->width + map->halo);
    } else {
        NAME(zero_pixels)(pixels, -map->halo, 0);
        NAME(zero_pixels)(pixels, map->width, map->width + map->halo);
    }
}

// Zeroes the halo beside `row`, and with the first and last row the halo above and below.
INLINE void NAME(zero_halo)(const dkp_feature_map *map, int plane, int row) {
    if (map->halo == 0) return;
    NAME(zero_halo_row)(map, plane, row);
    for (int h = 1; h <= map->halo; h++) {
        if (row == 0) NAME(zero_halo_row)(map, plane, -h);
        if (row == map->height - 1) NAME(zero_halo_row)(map, plane, map->height - 1 + h);
    }
}

INLINE void NAME(backward_row)(
    PIXELS x, PIXELS dy, PIXELS dx, int width, const VEC *scale, const VEC *shift, const VEC *slope_x,
    const VEC *constant, dkp_activation_kind kind, float slope) {
    for (ptrdiff_t c = 0; c < width; c++) {
        LOAD(v, x.first + c * x.step);
        LOAD(g, dy.first + c * dy.step);
        VEC pre = v * *scale + *shift;
        NAME(differentiate)(&pre, &g, kind, slope);
        STORE(dx.first + c * dx.step, g * *scale + (v * *slope_x + *constant));
    }
}

KERNEL void NAME(backward_apply)(void *context, int part, ptrdiff_t begin, ptrdiff_t end) {
    (void)part;
    const Reduction *r = context;
    for (ptrdiff_t task = begin; task < end; task++) {
        const int plane = row_plane(r->x, task), row = row_of(r->x, task);
        VEC scale, shift, slope_x, constant;
        memcpy(&scale, r->statistics->scale + plane * BLOCK, sizeof scale);
        memcpy(&shift, r->statistics->shift + plane * BLOCK, sizeof shift);
        memcpy(&slope_x, r->slope_x + plane * BLOCK, sizeof slope_x);
        memcpy(&constant, r->constant + plane * BLOCK, sizeof constant);
        WITH_CONSTANT_KIND(
            r->activation.kind,
            NAME(backward_row)(
                PIXELS_OF(r->x, plane, row), PIXELS_OF(r->dy, plane, row), PIXELS_OF(r->dx, plane, row), r->x->width,
                &scale, &shift, &slope_x, &constant, kind, r->activation.slope))
        NAME(zero_halo)(r->dx, plane, row);
    }
}

INLINE void NAME(activation_backward_row)(
    PIXELS x, PIXELS dy, PIXELS dx, int width, int accumulate, dkp_activation_kind kind, float slope) {
    for (ptrdiff_t c = 0; c < width; c++) {
        LOAD(v, x.first + c * x.step);
        LOAD(g, dy.first + c * dy.step);
        NAME(differentiate)(&v, &g, kind, slope);
        if (accumulate) {
            LOAD(old, dx.first + c * dx.step);
            g += old;
        }
        STORE(dx.first + c * dx.step, g);
    }
}

KERNEL void NAME(activation_backward)(void *context, int part, ptrdiff_t begin, ptrdiff_t end) {
    (void)part;
    const ActivationBackward *a = context;
    for (ptrdiff_t task = begin; task < end; task++) {
        const int plane = row_plane(a->x, task), row = row_of(a->x, task);
        WITH_CONSTANT_KIND(
            a->activation.kind,
            NAME(activation_backward_row)(
                PIXELS_OF(a->x, plane, row), PIXELS_OF(a->dy, plane, row), PIXELS_OF(a->dx, plane, row), a->x->width,
                a->accumulate, kind, a->activation.slope))
        if (!a->accumulate) NAME(zero_halo)(a->dx, plane, row);
    }
}


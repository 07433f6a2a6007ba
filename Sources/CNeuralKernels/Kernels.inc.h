// The kernels for one (scalar, block); see Vectors.h. Each body handles a share of a range of tasks.
#include "Vectors.h"

// MARK: Activations

// Selects a where the mask is set, else b.
INLINE void NAME(select)(const MASK *m, const VEC *a, const VEC *b, VEC *r) {
    MASK x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    MASK z = (*m & x) | (~*m & y);
    memcpy(r, &z, sizeof z);
}

INLINE void NAME(logistic)(const VEC *x, VEC *r) {
    for (int i = 0; i < BLOCK; i++) (*r)[i] = 1.0f / (1.0f + expf(-(*x)[i]));
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
KERNEL void NAME(statistics)(void *context, int share, ptrdiff_t begin, ptrdiff_t end) {
    (void)share;
    const Reduction *r = context;
    for (ptrdiff_t task = begin; task < end; task++) {
        const int plane = (int)(task / REDUCTION_CHUNKS), chunk = (int)(task % REDUCTION_CHUNKS);
        double *sums = r->scratch + task * 2 * BLOCK;
        for (int i = 0; i < 2 * BLOCK; i++) sums[i] = 0;
        LOAD(origin, ROW(r->x, plane, 0));
        for (int row = chunk_begin(r->x->height, chunk); row < chunk_begin(r->x->height, chunk + 1); row++) {
            const SCALAR *x = ROW(r->x, plane, row);
            VEC sum = {0}, squares = {0};
            for (int c = 0; c < r->x->width; c++) {
                LOAD(v, x + (ptrdiff_t)c * BLOCK);
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
    const SCALAR *x, const SCALAR *residual, SCALAR *y, int width, const VEC *scale, const VEC *shift,
    dkp_activation_kind kind, float slope) {
    for (ptrdiff_t c = 0; c < (ptrdiff_t)width * BLOCK; c += BLOCK) {
        LOAD(v, x + c);
        v = v * *scale + *shift;
        NAME(activate)(&v, kind, slope);
        if (residual) {
            LOAD(r, residual + c);
            v += r;
        }
        STORE(y + c, v);
    }
}

KERNEL void NAME(affine)(void *context, int share, ptrdiff_t begin, ptrdiff_t end) {
    (void)share;
    const Affine *a = context;
    for (ptrdiff_t task = begin; task < end; task++) {
        const int plane = (int)(task / a->x->height), row = (int)(task % a->x->height);
        VEC scale = (VEC){0} + 1.0f, shift = {0};
        if (a->scale) memcpy(&scale, a->scale + plane * BLOCK, sizeof scale);
        if (a->shift) memcpy(&shift, a->shift + plane * BLOCK, sizeof shift);
        const SCALAR *residual = a->residual ? ROW(a->residual, plane, row) : NULL;
        WITH_CONSTANT_KIND(
            a->activation.kind,
            NAME(affine_row)(
                ROW(a->x, plane, row), residual, ROW(a->y, plane, row), a->x->width, &scale, &shift, kind,
                a->activation.slope))
    }
}

INLINE void NAME(backward_sums_row)(
    const SCALAR *x, const SCALAR *dy, int width, const VEC *scale, const VEC *shift, const VEC *mean, VEC *sum,
    VEC *moment, dkp_activation_kind kind, float slope) {
    for (ptrdiff_t c = 0; c < (ptrdiff_t)width * BLOCK; c += BLOCK) {
        LOAD(v, x + c);
        LOAD(g, dy + c);
        VEC pre = v * *scale + *shift;
        NAME(differentiate)(&pre, &g, kind, slope);
        *sum += g;
        *moment += g * (v - *mean);
    }
}

KERNEL void NAME(backward_sums)(void *context, int share, ptrdiff_t begin, ptrdiff_t end) {
    (void)share;
    const Reduction *r = context;
    for (ptrdiff_t task = begin; task < end; task++) {
        const int plane = (int)(task / REDUCTION_CHUNKS), chunk = (int)(task % REDUCTION_CHUNKS);
        double *sums = r->scratch + task * 2 * BLOCK;
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
                    ROW(r->x, plane, row), ROW(r->dy, plane, row), r->x->width, &scale, &shift, &mean, &sum, &moment,
                    kind, r->activation.slope))
            NAME(add_to_doubles)(sums, &sum);
            NAME(add_to_doubles)(sums + BLOCK, &moment);
        }
    }
}

INLINE void NAME(zero_halo_row)(const dkp_feature_map *map, int plane, int row) {
    const size_t side = (size_t)map->halo * BLOCK * sizeof(SCALAR);
    SCALAR *start = ROW(map, plane, row);
    if (row < 0 || row >= map->height) {
        memset(start - (ptrdiff_t)map->halo * BLOCK, 0, 2 * side + (size_t)map->width * BLOCK * sizeof(SCALAR));
    } else {
        memset(start - (ptrdiff_t)map->halo * BLOCK, 0, side);
        memset(start + (ptrdiff_t)map->width * BLOCK, 0, side);
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
    const SCALAR *x, const SCALAR *dy, SCALAR *dx, int width, const VEC *scale, const VEC *shift, const VEC *slope_x,
    const VEC *constant, dkp_activation_kind kind, float slope) {
    for (ptrdiff_t c = 0; c < (ptrdiff_t)width * BLOCK; c += BLOCK) {
        LOAD(v, x + c);
        LOAD(g, dy + c);
        VEC pre = v * *scale + *shift;
        NAME(differentiate)(&pre, &g, kind, slope);
        STORE(dx + c, g * *scale + (v * *slope_x + *constant));
    }
}

KERNEL void NAME(backward_apply)(void *context, int share, ptrdiff_t begin, ptrdiff_t end) {
    (void)share;
    const Reduction *r = context;
    for (ptrdiff_t task = begin; task < end; task++) {
        const int plane = (int)(task / r->x->height), row = (int)(task % r->x->height);
        VEC scale, shift, slope_x, constant;
        memcpy(&scale, r->statistics->scale + plane * BLOCK, sizeof scale);
        memcpy(&shift, r->statistics->shift + plane * BLOCK, sizeof shift);
        memcpy(&slope_x, r->slope_x + plane * BLOCK, sizeof slope_x);
        memcpy(&constant, r->constant + plane * BLOCK, sizeof constant);
        WITH_CONSTANT_KIND(
            r->activation.kind,
            NAME(backward_row)(
                ROW(r->x, plane, row), ROW(r->dy, plane, row), ROW(r->dx, plane, row), r->x->width, &scale, &shift,
                &slope_x, &constant, kind, r->activation.slope))
        NAME(zero_halo)(r->dx, plane, row);
    }
}

INLINE void NAME(activation_backward_row)(
    const SCALAR *x, const SCALAR *dy, SCALAR *dx, int width, int accumulate, dkp_activation_kind kind, float slope) {
    for (ptrdiff_t c = 0; c < (ptrdiff_t)width * BLOCK; c += BLOCK) {
        LOAD(v, x + c);
        LOAD(g, dy + c);
        NAME(differentiate)(&v, &g, kind, slope);
        if (accumulate) {
            LOAD(old, dx + c);
            g += old;
        }
        STORE(dx + c, g);
    }
}

KERNEL void NAME(activation_backward)(void *context, int share, ptrdiff_t begin, ptrdiff_t end) {
    (void)share;
    const ActivationBackward *a = context;
    for (ptrdiff_t task = begin; task < end; task++) {
        const int plane = (int)(task / a->x->height), row = (int)(task % a->x->height);
        WITH_CONSTANT_KIND(
            a->activation.kind,
            NAME(activation_backward_row)(
                ROW(a->x, plane, row), ROW(a->dy, plane, row), ROW(a->dx, plane, row), a->x->width, a->accumulate, kind,
                a->activation.slope))
        if (!a->accumulate) NAME(zero_halo)(a->dx, plane, row);
    }
}

// MARK: Halo

KERNEL void NAME(clear_halo)(void *context, int share, ptrdiff_t begin, ptrdiff_t end) {
    (void)share;
    const dkp_feature_map *map = context;
    for (int plane = (int)begin; plane < end; plane++)
        for (int row = 0; row < map->height; row++) NAME(zero_halo)(map, plane, row);
}

KERNEL void NAME(fill_halo)(void *context, int share, ptrdiff_t begin, ptrdiff_t end) {
    (void)share;
    const dkp_feature_map *map = context;
    const int halo = map->halo, height = map->height, width = map->width;
    const size_t pixel = BLOCK * sizeof(SCALAR), line = (size_t)(width + 2 * halo) * pixel;
    for (int plane = (int)begin; plane < end; plane++) {
        for (int row = 0; row < height; row++) {
            SCALAR *p = ROW(map, plane, row);
            for (int h = 1; h <= halo; h++) {
                memcpy(p - (ptrdiff_t)h * BLOCK, p + (ptrdiff_t)reflect(-h, width) * BLOCK, pixel);
                memcpy(
                    p + (ptrdiff_t)(width - 1 + h) * BLOCK, p + (ptrdiff_t)reflect(width - 1 + h, width) * BLOCK, pixel);
            }
        }
        for (int h = 1; h <= halo; h++) {
            const ptrdiff_t left = (ptrdiff_t)halo * BLOCK;
            memcpy(ROW(map, plane, -h) - left, ROW(map, plane, reflect(-h, height)) - left, line);
            memcpy(
                ROW(map, plane, height - 1 + h) - left, ROW(map, plane, reflect(height - 1 + h, height)) - left, line);
        }
    }
}

INLINE void NAME(add_pixels)(SCALAR *target, const SCALAR *source, ptrdiff_t pixels) {
    for (ptrdiff_t i = 0; i < pixels * BLOCK; i += BLOCK) {
        LOAD(t, target + i);
        LOAD(s, source + i);
        STORE(target + i, t + s);
    }
}

KERNEL void NAME(fold_halo)(void *context, int share, ptrdiff_t begin, ptrdiff_t end) {
    (void)share;
    const dkp_feature_map *map = context;
    const int halo = map->halo, height = map->height, width = map->width;
    for (int plane = (int)begin; plane < end; plane++) {
        for (int h = 1; h <= halo; h++) {
            const ptrdiff_t left = (ptrdiff_t)halo * BLOCK;
            NAME(add_pixels)(
                ROW(map, plane, reflect(-h, height)) - left, ROW(map, plane, -h) - left, width + 2 * halo);
            NAME(add_pixels)(
                ROW(map, plane, reflect(height - 1 + h, height)) - left, ROW(map, plane, height - 1 + h) - left,
                width + 2 * halo);
        }
        for (int row = 0; row < height; row++) {
            SCALAR *p = ROW(map, plane, row);
            for (int h = 1; h <= halo; h++) {
                NAME(add_pixels)(p + (ptrdiff_t)reflect(-h, width) * BLOCK, p - (ptrdiff_t)h * BLOCK, 1);
                NAME(add_pixels)(
                    p + (ptrdiff_t)reflect(width - 1 + h, width) * BLOCK, p + (ptrdiff_t)(width - 1 + h) * BLOCK, 1);
            }
        }
    }
}

// MARK: Copying and resampling

KERNEL void NAME(copy_window)(void *context, int share, ptrdiff_t begin, ptrdiff_t end) {
    (void)share;
    const Resampling *w = context;
    for (ptrdiff_t task = begin; task < end; task++) {
        const int plane = (int)(task / w->y->height), row = (int)(task % w->y->height);
        const int from = row + w->row_offset;
        SCALAR *y = ROW(w->y, plane, row);
        for (int c = 0; c < w->y->width; c++) {
            const int column = c + w->column_offset;
            const int inside = from >= 0 && from < w->x->height && column >= 0 && column < w->x->width;
            VEC v = {0};
            if (inside) NAME(load)(ROW(w->x, plane, from) + (ptrdiff_t)column * BLOCK, &v);
            if (w->accumulate) {
                LOAD(old, y + (ptrdiff_t)c * BLOCK);
                v += old;
            }
            STORE(y + (ptrdiff_t)c * BLOCK, v);
        }
    }
}

KERNEL void NAME(dilate)(void *context, int share, ptrdiff_t begin, ptrdiff_t end) {
    (void)share;
    const Dilation *d = context;
    for (ptrdiff_t task = begin; task < end; task++) {
        const int plane = (int)(task / d->y->height), row = (int)(task % d->y->height), from = row / d->stride;
        SCALAR *y = ROW(d->y, plane, row);
        memset(y, 0, (size_t)d->y->width * BLOCK * sizeof *y);
        if (row % d->stride != 0 || from >= d->x->height) continue;
        const SCALAR *x = ROW(d->x, plane, from);
        for (ptrdiff_t c = 0; c < d->x->width && c * d->stride < d->y->width; c++)
            memcpy(y + c * d->stride * BLOCK, x + c * BLOCK, BLOCK * sizeof *y);
    }
}

INLINE void NAME(blend_rows)(const SCALAR *near, const SCALAR *far, int column, int width, VEC *v) {
    const ptrdiff_t at = (ptrdiff_t)(column < 0 ? 0 : column >= width ? width - 1 : column) * BLOCK;
    LOAD(a, near + at);
    LOAD(b, far + at);
    *v = 0.75f * a + 0.25f * b;
}

KERNEL void NAME(upsample_bilinear)(void *context, int share, ptrdiff_t begin, ptrdiff_t end) {
    (void)share;
    const Resampling *w = context;
    const int height = w->x->height, width = w->x->width;
    for (ptrdiff_t task = begin; task < end; task++) {
        const int plane = (int)(task / w->y->height), row = (int)(task % w->y->height);
        const int enlarged = row + w->row_offset, near = enlarged >> 1, far = near + ((enlarged & 1) ? 1 : -1);
        const SCALAR *near_row = ROW(w->x, plane, near);
        const SCALAR *far_row = ROW(w->x, plane, far < 0 ? 0 : far >= height ? height - 1 : far);
        SCALAR *y = ROW(w->y, plane, row) - (ptrdiff_t)w->column_offset * BLOCK;
        const int first = w->column_offset, last = w->column_offset + w->y->width;
        VEC before, here, after;
        int j = first >> 1;
        NAME(blend_rows)(near_row, far_row, j - 1, width, &before);
        NAME(blend_rows)(near_row, far_row, j, width, &here);
        for (; 2 * j < last; j++) {
            NAME(blend_rows)(near_row, far_row, j + 1, width, &after);
            if (2 * j >= first) STORE(y + (ptrdiff_t)(2 * j) * BLOCK, 0.75f * here + 0.25f * before);
            if (2 * j + 1 < last) STORE(y + (ptrdiff_t)(2 * j + 1) * BLOCK, 0.75f * here + 0.25f * after);
            before = here;
            here = after;
        }
    }
}

// The weight of enlarged pixel `o` in source pixel `i`; both taps meet in one pixel at a clamped edge.
INLINE float NAME(bilinear_weight)(int o, int i, int size) {
    const int near = o >> 1;
    int far = near + ((o & 1) ? 1 : -1);
    far = far < 0 ? 0 : far >= size ? size - 1 : far;
    return (near == i ? 0.75f : 0.0f) + (far == i ? 0.25f : 0.0f);
}

KERNEL void NAME(upsample_bilinear_backward)(void *context, int share, ptrdiff_t begin, ptrdiff_t end) {
    (void)share;
    const Resampling *w = context; // x: the gradient of the enlarged map; y: the gradient of the source
    const int height = w->y->height, width = w->y->width;
    for (ptrdiff_t task = begin; task < end; task++) {
        const int plane = (int)(task / height), row = (int)(task % height);
        const SCALAR *rows[4];
        float row_weights[4];
        int used = 0;
        for (int o = 2 * row - 1; o <= 2 * row + 2; o++) {
            const int from = o - w->row_offset;
            if (o < 0 || from < 0 || from >= w->x->height || o >= 2 * height) continue;
            rows[used] = ROW(w->x, plane, from);
            row_weights[used++] = NAME(bilinear_weight)(o, row, height);
        }
        SCALAR *y = ROW(w->y, plane, row);
        for (int j = 0; j < width; j++) {
            VEC sum = {0};
            for (int o = 2 * j - 1; o <= 2 * j + 2; o++) {
                const int from = o - w->column_offset;
                if (o < 0 || from < 0 || from >= w->x->width || o >= 2 * width) continue;
                const float weight = NAME(bilinear_weight)(o, j, width);
                VEC column = {0};
                for (int k = 0; k < used; k++) {
                    LOAD(g, rows[k] + (ptrdiff_t)from * BLOCK);
                    column += row_weights[k] * g;
                }
                sum += weight * column;
            }
            if (w->accumulate) {
                LOAD(old, y + (ptrdiff_t)j * BLOCK);
                sum += old;
            }
            STORE(y + (ptrdiff_t)j * BLOCK, sum);
        }
    }
}

KERNEL void NAME(upsample_nearest)(void *context, int share, ptrdiff_t begin, ptrdiff_t end) {
    (void)share;
    const Resampling *w = context;
    for (ptrdiff_t task = begin; task < end; task++) {
        const int plane = (int)(task / w->y->height), row = (int)(task % w->y->height);
        const SCALAR *x = ROW(w->x, plane, (row + w->row_offset) >> 1);
        SCALAR *y = ROW(w->y, plane, row);
        for (int c = 0; c < w->y->width; c++) {
            LOAD(v, x + (ptrdiff_t)((c + w->column_offset) >> 1) * BLOCK);
            STORE(y + (ptrdiff_t)c * BLOCK, v);
        }
    }
}

KERNEL void NAME(upsample_nearest_backward)(void *context, int share, ptrdiff_t begin, ptrdiff_t end) {
    (void)share;
    const Resampling *w = context;
    for (ptrdiff_t task = begin; task < end; task++) {
        const int plane = (int)(task / w->y->height), row = (int)(task % w->y->height);
        SCALAR *y = ROW(w->y, plane, row);
        for (int j = 0; j < w->y->width; j++) {
            VEC sum = {0};
            for (int k = 0; k < 4; k++) {
                const int from = 2 * row + (k >> 1) - w->row_offset, column = 2 * j + (k & 1) - w->column_offset;
                if (from < 0 || from >= w->x->height || column < 0 || column >= w->x->width) continue;
                LOAD(g, ROW(w->x, plane, from) + (ptrdiff_t)column * BLOCK);
                sum += g;
            }
            if (w->accumulate) {
                LOAD(old, y + (ptrdiff_t)j * BLOCK);
                sum += old;
            }
            STORE(y + (ptrdiff_t)j * BLOCK, sum);
        }
    }
}

// MARK: Max pooling

KERNEL void NAME(max_pool)(void *context, int share, ptrdiff_t begin, ptrdiff_t end) {
    (void)share;
    const Pooling *p = context;
    const int height = p->small->height, width = p->small->width;
    for (ptrdiff_t task = begin; task < end; task++) {
        const int plane = (int)(task / height), row = (int)(task % height);
        uint8_t *choice = p->choice + task * width * BLOCK;
        for (ptrdiff_t c = 0; c < width; c++) {
            float best[BLOCK], v[BLOCK];
            for (int k = 0; k < 4; k++) {
                LOAD(x, ROW(p->large, plane, 2 * row + (k >> 1)) + (2 * c + (k & 1)) * BLOCK);
                memcpy(v, &x, sizeof v);
                for (int i = 0; i < BLOCK; i++) {
                    if (k == 0 || v[i] > best[i]) {
                        best[i] = v[i];
                        choice[c * BLOCK + i] = (uint8_t)k;
                    }
                }
            }
            VEC result;
            memcpy(&result, best, sizeof result);
            STORE(ROW(p->small, plane, row) + c * BLOCK, result);
        }
    }
}

KERNEL void NAME(max_pool_backward)(void *context, int share, ptrdiff_t begin, ptrdiff_t end) {
    (void)share;
    const Pooling *p = context;
    for (ptrdiff_t task = begin; task < end; task++) {
        const int plane = (int)(task / p->large->height), row = (int)(task % p->large->height);
        for (ptrdiff_t c = 0; c < p->large->width; c++) {
            SCALAR *target = ROW(p->large, plane, row) + c * BLOCK;
            const int from = row / 2;
            const ptrdiff_t column = c / 2;
            VEC result = {0};
            if (from < p->small->height && column < p->small->width) {
                const uint8_t *choice =
                    p->choice + (((ptrdiff_t)plane * p->small->height + from) * p->small->width + column) * BLOCK;
                const int mine = (row & 1) * 2 + (int)(c & 1);
                LOAD(g, ROW(p->small, plane, from) + column * BLOCK);
                for (int i = 0; i < BLOCK; i++) result[i] = choice[i] == mine ? g[i] : 0.0f;
            }
            if (p->accumulate) {
                LOAD(old, target);
                result += old;
            }
            STORE(target, result);
        }
    }
}

// MARK: Channel products (the non-local block)

KERNEL void NAME(channel_product)(void *context, int share, ptrdiff_t begin, ptrdiff_t end) {
    (void)share;
    const ChannelProduct *p = context;
    const ptrdiff_t pixels = (ptrdiff_t)p->a->height * p->a->width;
    const int columns = p->b->blocks * BLOCK;
    for (ptrdiff_t task = begin; task < end; task++) {
        const int i = (int)(task / p->b->blocks), j = (int)(task % p->b->blocks);
        const SCALAR *a = ROW(p->a, i, 0), *b = ROW(p->b, j, 0);
        double total[BLOCK][BLOCK] = {{0}};
        for (ptrdiff_t start = 0; start < pixels; start += 512) {
            const ptrdiff_t stop = start + 512 < pixels ? start + 512 : pixels;
            VEC sums[BLOCK] = {{0}};
            for (ptrdiff_t pixel = start; pixel < stop; pixel++) {
                LOAD(u, a + pixel * BLOCK);
                LOAD(v, b + pixel * BLOCK);
                for (int k = 0; k < BLOCK; k++) sums[k] += u[k] * v;
            }
            for (int k = 0; k < BLOCK; k++) NAME(add_to_doubles)(total[k], &sums[k]);
        }
        for (int k = 0; k < BLOCK; k++)
            for (int l = 0; l < BLOCK; l++)
                p->product[(i * BLOCK + k) * columns + j * BLOCK + l] = (float)(p->factor * total[k][l]);
    }
}

KERNEL void NAME(channel_transform)(void *context, int share, ptrdiff_t begin, ptrdiff_t end) {
    (void)share;
    const ChannelTransform *t = context;
    const int columns = t->y->blocks * BLOCK;
    for (ptrdiff_t pixel = begin; pixel < end; pixel++) {
        for (int j = 0; j < t->y->blocks; j++) {
            VEC sum = {0};
            for (int i = 0; i < t->a->blocks; i++) {
                LOAD(u, ROW(t->a, i, 0) + pixel * BLOCK);
                const float *matrix = t->matrix + (ptrdiff_t)i * BLOCK * columns + j * BLOCK;
                for (int k = 0; k < BLOCK; k++) {
                    VEC m;
                    memcpy(&m, matrix + (ptrdiff_t)k * columns, sizeof m);
                    sum += u[k] * m;
                }
            }
            sum *= t->factor;
            SCALAR *y = ROW(t->y, j, 0) + pixel * BLOCK;
            if (t->accumulate) {
                LOAD(old, y);
                sum += old;
            }
            STORE(y, sum);
        }
    }
}

// MARK: Planar images

KERNEL void NAME(pack)(void *context, int share, ptrdiff_t begin, ptrdiff_t end) {
    (void)share;
    const Packing *p = context;
    for (ptrdiff_t row = begin; row < end; row++) {
        for (int channel = 0; channel < p->channels; channel++) {
            const int at = p->first + channel;
            const float *plane = p->planes + ((ptrdiff_t)channel * p->map->height + row) * p->map->width;
            SCALAR *target = ROW(p->map, at / BLOCK, row) + at % BLOCK;
            for (ptrdiff_t c = 0; c < p->map->width; c++) {
#if SCALAR_IS_BF16
                target[c * BLOCK] = round_to_bf16(plane[c]);
#else
                target[c * BLOCK] = plane[c];
#endif
            }
        }
    }
}

KERNEL void NAME(unpack)(void *context, int share, ptrdiff_t begin, ptrdiff_t end) {
    (void)share;
    const Packing *p = context;
    for (ptrdiff_t row = begin; row < end; row++) {
        for (int channel = 0; channel < p->channels; channel++) {
            const int at = p->first + channel;
            float *plane = p->planes + ((ptrdiff_t)channel * p->map->height + row) * p->map->width;
            const SCALAR *source = ROW(p->map, at / BLOCK, row) + at % BLOCK;
            for (ptrdiff_t c = 0; c < p->map->width; c++) {
#if SCALAR_IS_BF16
                plane[c] = widen_bf16(source[c * BLOCK]);
#else
                plane[c] = source[c * BLOCK];
#endif
            }
        }
    }
}

#undef NAME
#undef SCALAR
#undef VEC
#undef BITS
#undef MASK
#undef KERNEL
#undef INLINE
#undef LOAD
#undef STORE
#undef ROW
#undef WITH_CONSTANT_KIND
#undef PASTE2
#undef PASTE3

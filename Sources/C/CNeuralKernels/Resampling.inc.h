// One concern of the kernels for one (scalar, block); included by Kernels.inc.h alone.

// MARK: Copying and resampling

KERNEL void NAME(copy_window)(void *context, int part, ptrdiff_t begin, ptrdiff_t end) {
    (void)part;
    const Resampling *w = context;
    for (ptrdiff_t task = begin; task < end; task++) {
        const int plane = row_plane(w->y, task), row = row_of(w->y, task);
        const int from = row + w->row_offset;
        SCALAR *y = ROW(w->y, plane, row);
        const ptrdiff_t step = w->y->pixel_stride;
        for (int c = 0; c < w->y->width; c++) {
            const int column = c + w->column_offset;
            const int inside = from >= 0 && from < w->x->height && column >= 0 && column < w->x->width;
            VEC v = {0};
            if (inside) NAME(load)(AT(w->x, plane, from, column), &v);
            if (w->accumulate) {
                LOAD(old, y + c * step);
                v += old;
            }
            STORE(y + c * step, v);
        }
    }
}

KERNEL void NAME(dilate)(void *context, int part, ptrdiff_t begin, ptrdiff_t end) {
    (void)part;
    const Dilation *d = context;
    for (ptrdiff_t task = begin; task < end; task++) {
        const int plane = row_plane(d->y, task), row = row_of(d->y, task), from = row / d->stride;
        NAME(zero_pixels)(PIXELS_OF(d->y, plane, row), 0, d->y->width);
        if (row % d->stride != 0 || from >= d->x->height) continue;
        for (int c = 0; c < d->x->width && c * d->stride < d->y->width; c++)
            memcpy(AT(d->y, plane, row, c * d->stride), AT(d->x, plane, from, c), BLOCK * sizeof(SCALAR));
    }
}

INLINE void NAME(blend_rows)(
    const SCALAR *near, const SCALAR *far, int column, int width, ptrdiff_t step, VEC *v) {
    const ptrdiff_t at = (column < 0 ? 0 : column >= width ? width - 1 : column) * step;
    LOAD(a, near + at);
    LOAD(b, far + at);
    *v = 0.75f * a + 0.25f * b;
}

KERNEL void NAME(upsample_bilinear)(void *context, int part, ptrdiff_t begin, ptrdiff_t end) {
    (void)part;
    const Resampling *w = context;
    const int height = w->x->height, width = w->x->width;
    for (ptrdiff_t task = begin; task < end; task++) {
        const int plane = row_plane(w->y, task), row = row_of(w->y, task);
        const int large = row + w->row_offset, near = large >> 1, far = near + ((large & 1) ? 1 : -1);
        const SCALAR *near_row = ROW(w->x, plane, near);
        const SCALAR *far_row = ROW(w->x, plane, far < 0 ? 0 : far >= height ? height - 1 : far);
        const ptrdiff_t step = w->y->pixel_stride, x_step = w->x->pixel_stride;
        SCALAR *y = ROW(w->y, plane, row) - w->column_offset * step;
        const int first = w->column_offset, last = w->column_offset + w->y->width;
        VEC before, here, after;
        int j = first >> 1;
        NAME(blend_rows)(near_row, far_row, j - 1, width, x_step, &before);
        NAME(blend_rows)(near_row, far_row, j, width, x_step, &here);
        for (; 2 * j < last; j++) {
            NAME(blend_rows)(near_row, far_row, j + 1, width, x_step, &after);
            if (2 * j >= first) STORE(y + 2 * j * step, 0.75f * here + 0.25f * before);
            if (2 * j + 1 < last) STORE(y + (2 * j + 1) * step, 0.75f * here + 0.25f * after);
            before = here;
            here = after;
        }
    }
}

// The weight of upsampled pixel `o` in source pixel `i`; both taps meet in one pixel at a clamped edge.
INLINE float NAME(bilinear_weight)(int o, int i, int size) {
    const int near = o >> 1;
    int far = near + ((o & 1) ? 1 : -1);
    far = far < 0 ? 0 : far >= size ? size - 1 : far;
    return (near == i ? 0.75f : 0.0f) + (far == i ? 0.25f : 0.0f);
}

KERNEL void NAME(upsample_bilinear_backward)(void *context, int part, ptrdiff_t begin, ptrdiff_t end) {
    (void)part;
    const Resampling *w = context; // x: the gradient of the upsampled map; y: the gradient of the source
    const int height = w->y->height, width = w->y->width;
    for (ptrdiff_t task = begin; task < end; task++) {
        const int plane = row_plane(w->y, task), row = row_of(w->y, task);
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
                    LOAD(g, rows[k] + from * w->x->pixel_stride);
                    column += row_weights[k] * g;
                }
                sum += weight * column;
            }
            if (w->accumulate) {
                LOAD(old, y + j * w->y->pixel_stride);
                sum += old;
            }
            STORE(y + j * w->y->pixel_stride, sum);
        }
    }
}

KERNEL void NAME(upsample_nearest)(void *context, int part, ptrdiff_t begin, ptrdiff_t end) {
    (void)part;
    const Resampling *w = context;
    for (ptrdiff_t task = begin; task < end; task++) {
        const int plane = row_plane(w->y, task), row = row_of(w->y, task);
        const SCALAR *x = ROW(w->x, plane, (row + w->row_offset) >> 1);
        SCALAR *y = ROW(w->y, plane, row);
        for (int c = 0; c < w->y->width; c++) {
            LOAD(v, x + ((c + w->column_offset) >> 1) * w->x->pixel_stride);
            STORE(y + c * w->y->pixel_stride, v);
        }
    }
}

KERNEL void NAME(interleave)(void *context, int part, ptrdiff_t begin, ptrdiff_t end) {
    (void)part;
    const Resampling *w = context; // x: the four parts
    for (ptrdiff_t task = begin; task < end; task++) {
        const int plane = row_plane(w->y, task), row = row_of(w->y, task);
        const SCALAR *left = ROW(w->x + 2 * (row & 1), plane, row >> 1);
        const SCALAR *right = ROW(w->x + 2 * (row & 1) + 1, plane, row >> 1);
        SCALAR *y = ROW(w->y, plane, row);
        const ptrdiff_t step = w->y->pixel_stride, part_step = w->x->pixel_stride;
        for (ptrdiff_t c = 0; c < w->x->width; c++) {
            memcpy(y + 2 * c * step, left + c * part_step, BLOCK * sizeof *y);
            memcpy(y + (2 * c + 1) * step, right + c * part_step, BLOCK * sizeof *y);
        }
    }
}

KERNEL void NAME(upsample_nearest_backward)(void *context, int part, ptrdiff_t begin, ptrdiff_t end) {
    (void)part;
    const Resampling *w = context;
    for (ptrdiff_t task = begin; task < end; task++) {
        const int plane = row_plane(w->y, task), row = row_of(w->y, task);
        SCALAR *y = ROW(w->y, plane, row);
        for (int j = 0; j < w->y->width; j++) {
            VEC sum = {0};
            for (int k = 0; k < 4; k++) {
                const int from = 2 * row + (k >> 1) - w->row_offset, column = 2 * j + (k & 1) - w->column_offset;
                if (from < 0 || from >= w->x->height || column < 0 || column >= w->x->width) continue;
                LOAD(g, AT(w->x, plane, from, column));
                sum += g;
            }
            if (w->accumulate) {
                LOAD(old, y + j * w->y->pixel_stride);
                sum += old;
            }
            STORE(y + j * w->y->pixel_stride, sum);
        }
    }
}

// MARK: Pooling

KERNEL void NAME(average_pool)(void *context, int part, ptrdiff_t begin, ptrdiff_t end) {
    (void)part;
    const Resampling *w = context;
    for (ptrdiff_t task = begin; task < end; task++) {
        const int plane = row_plane(w->y, task), row = row_of(w->y, task);
        const SCALAR *upper = ROW(w->x, plane, 2 * row), *lower = ROW(w->x, plane, 2 * row + 1);
        SCALAR *y = ROW(w->y, plane, row);
        const ptrdiff_t step = w->x->pixel_stride;
        for (ptrdiff_t c = 0; c < w->y->width; c++) {
            LOAD(a, upper + 2 * c * step);
            LOAD(b, upper + (2 * c + 1) * step);
            LOAD(d, lower + 2 * c * step);
            LOAD(e, lower + (2 * c + 1) * step);
            STORE(y + c * w->y->pixel_stride, 0.25f * ((a + b) + (d + e)));
        }
    }
}

KERNEL void NAME(max_pool)(void *context, int part, ptrdiff_t begin, ptrdiff_t end) {
    (void)part;
    const Pooling *p = context;
    const int height = p->small->height, width = p->small->width;
    for (ptrdiff_t task = begin; task < end; task++) {
        const int plane = row_plane(p->small, task), row = row_of(p->small, task);
        uint8_t *choice = p->choice + ((ptrdiff_t)plane * height + row) * width * BLOCK;
        for (ptrdiff_t c = 0; c < width; c++) {
            float best[BLOCK], v[BLOCK];
            for (int k = 0; k < 4; k++) {
                LOAD(x, AT(p->large, plane, 2 * row + (k >> 1), 2 * c + (k & 1)));
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
            STORE(AT(p->small, plane, row, c), result);
        }
    }
}

KERNEL void NAME(max_pool_backward)(void *context, int part, ptrdiff_t begin, ptrdiff_t end) {
    (void)part;
    const Pooling *p = context;
    for (ptrdiff_t task = begin; task < end; task++) {
        const int plane = row_plane(p->large, task), row = row_of(p->large, task);
        for (ptrdiff_t c = 0; c < p->large->width; c++) {
            SCALAR *target = AT(p->large, plane, row, c);
            const int from = row / 2;
            const ptrdiff_t column = c / 2;
            VEC result = {0};
            if (from < p->small->height && column < p->small->width) {
                const uint8_t *choice =
                    p->choice + (((ptrdiff_t)plane * p->small->height + from) * p->small->width + column) * BLOCK;
                const int mine = (row & 1) * 2 + (int)(c & 1);
                LOAD(g, AT(p->small, plane, from, column));
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


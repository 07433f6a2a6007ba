// One concern of the kernels for one (scalar, block); included by Kernels.inc.h alone.

// MARK: Channel products (the non-local block)

KERNEL void NAME(channel_product)(void *context, int part, ptrdiff_t begin, ptrdiff_t end) {
    (void)part;
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
                LOAD(u, a + pixel * p->a->pixel_stride);
                LOAD(v, b + pixel * p->b->pixel_stride);
                for (int k = 0; k < BLOCK; k++) sums[k] += u[k] * v;
            }
            for (int k = 0; k < BLOCK; k++) NAME(add_to_doubles)(total[k], &sums[k]);
        }
        for (int k = 0; k < BLOCK; k++)
            for (int l = 0; l < BLOCK; l++)
                p->product[(i * BLOCK + k) * columns + j * BLOCK + l] = (float)(p->factor * total[k][l]);
    }
}

KERNEL void NAME(channel_transform)(void *context, int part, ptrdiff_t begin, ptrdiff_t end) {
    (void)part;
    const ChannelTransform *t = context;
    const int columns = t->y->blocks * BLOCK;
    for (ptrdiff_t pixel = begin; pixel < end; pixel++) {
        for (int j = 0; j < t->y->blocks; j++) {
            VEC sum = {0};
            for (int i = 0; i < t->a->blocks; i++) {
                LOAD(u, AT(t->a, i, 0, pixel));
                const float *matrix = t->matrix + (ptrdiff_t)i * BLOCK * columns + j * BLOCK;
                for (int k = 0; k < BLOCK; k++) {
                    VEC m;
                    memcpy(&m, matrix + (ptrdiff_t)k * columns, sizeof m);
                    sum += u[k] * m;
                }
            }
            sum *= t->factor;
            SCALAR *y = AT(t->y, j, 0, pixel);
            if (t->accumulate) {
                LOAD(old, y);
                sum += old;
            }
            STORE(y, sum);
        }
    }
}

// MARK: Planar images

KERNEL void NAME(pack)(void *context, int part, ptrdiff_t begin, ptrdiff_t end) {
    (void)part;
    const Packing *p = context;
    const ptrdiff_t step = p->map->pixel_stride;
    for (ptrdiff_t row = begin; row < end; row++) {
        for (int channel = 0; channel < p->channels; channel++) {
            const int at = p->first + channel;
            const float *plane = p->planes + ((ptrdiff_t)channel * p->map->height + row) * p->map->width;
            SCALAR *target = ROW(p->map, at / BLOCK, row) + at % BLOCK;
            for (ptrdiff_t c = 0; c < p->map->width; c++) {
#if SCALAR_IS_BF16
                target[c * step] = round_to_bf16(plane[c]);
#else
                target[c * step] = plane[c];
#endif
            }
        }
        // The buffer may have held another map: what lies in the padding channels would get a gradient.
        for (int at = p->first + p->channels; at % BLOCK != 0; at++) {
            SCALAR *target = ROW(p->map, at / BLOCK, row) + at % BLOCK;
            for (ptrdiff_t c = 0; c < p->map->width; c++) target[c * step] = 0;
        }
    }
}

KERNEL void NAME(unpack)(void *context, int part, ptrdiff_t begin, ptrdiff_t end) {
    (void)part;
    const Packing *p = context;
    const ptrdiff_t step = p->map->pixel_stride;
    for (ptrdiff_t row = begin; row < end; row++) {
        for (int channel = 0; channel < p->channels; channel++) {
            const int at = p->first + channel;
            float *plane = p->planes + ((ptrdiff_t)channel * p->map->height + row) * p->map->width;
            const SCALAR *source = ROW(p->map, at / BLOCK, row) + at % BLOCK;
            for (ptrdiff_t c = 0; c < p->map->width; c++) {
#if SCALAR_IS_BF16
                plane[c] = widen_bf16(source[c * step]);
#else
                plane[c] = source[c * step];
#endif
            }
        }
    }
}


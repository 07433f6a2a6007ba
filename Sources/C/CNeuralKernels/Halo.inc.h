// One concern of the kernels for one (scalar, block); included by Kernels.inc.h alone.

// MARK: Halo

KERNEL void NAME(zero)(void *context, int part, ptrdiff_t begin, ptrdiff_t end) {
    (void)part;
    const dkp_feature_map *map = context;
    for (ptrdiff_t task = begin; task < end; task++)
        NAME(zero_pixels)(PIXELS_OF(map, row_plane(map, task), row_of(map, task)), 0, map->width);
}

KERNEL void NAME(zero_padding)(void *context, int part, ptrdiff_t begin, ptrdiff_t end) {
    (void)part;
    const Padding *p = context;
    for (ptrdiff_t task = begin; task < end; task++) {
        const int plane = row_plane(p->map, task), used = p->used[plane];
        const PIXELS pixels = PIXELS_OF(p->map, plane, row_of(p->map, task));
        if (used >= BLOCK) continue;
        for (ptrdiff_t c = 0; c < p->map->width; c++)
            memset(pixels.first + c * pixels.step + used, 0, (size_t)(BLOCK - used) * sizeof(SCALAR));
    }
}

KERNEL void NAME(clear_halo)(void *context, int part, ptrdiff_t begin, ptrdiff_t end) {
    (void)part;
    const dkp_feature_map *map = context;
    for (int plane = (int)begin; plane < end; plane++)
        for (int row = 0; row < map->height; row++) NAME(zero_halo)(map, plane, row);
}

KERNEL void NAME(fill_halo)(void *context, int part, ptrdiff_t begin, ptrdiff_t end) {
    (void)part;
    const dkp_feature_map *map = context;
    const int halo = map->halo, height = map->height, width = map->width;
    const ptrdiff_t step = map->pixel_stride;
    const size_t pixel = BLOCK * sizeof(SCALAR);
    for (int plane = (int)begin; plane < end; plane++) {
        for (int row = 0; row < height; row++) {
            SCALAR *p = ROW(map, plane, row);
            for (int h = 1; h <= halo; h++) {
                memcpy(p - h * step, p + reflect(-h, width) * step, pixel);
                memcpy(p + (width - 1 + h) * step, p + reflect(width - 1 + h, width) * step, pixel);
            }
        }
        for (int h = 1; h <= halo; h++) {
            const SCALAR *above = ROW(map, plane, reflect(-h, height));
            const SCALAR *below = ROW(map, plane, reflect(height - 1 + h, height));
            for (ptrdiff_t c = -halo; c < width + halo; c++) {
                memcpy(ROW(map, plane, -h) + c * step, above + c * step, pixel);
                memcpy(ROW(map, plane, height - 1 + h) + c * step, below + c * step, pixel);
            }
        }
    }
}

INLINE void NAME(add_pixels)(SCALAR *target, const SCALAR *source, ptrdiff_t pixels, ptrdiff_t step) {
    for (ptrdiff_t i = 0; i < pixels * step; i += step) {
        LOAD(t, target + i);
        LOAD(s, source + i);
        STORE(target + i, t + s);
    }
}

KERNEL void NAME(fold_halo)(void *context, int part, ptrdiff_t begin, ptrdiff_t end) {
    (void)part;
    const dkp_feature_map *map = context;
    const int halo = map->halo, height = map->height, width = map->width;
    const ptrdiff_t step = map->pixel_stride, left = halo * step;
    for (int plane = (int)begin; plane < end; plane++) {
        for (int h = 1; h <= halo; h++) {
            NAME(add_pixels)(
                ROW(map, plane, reflect(-h, height)) - left, ROW(map, plane, -h) - left, width + 2 * halo, step);
            NAME(add_pixels)(
                ROW(map, plane, reflect(height - 1 + h, height)) - left, ROW(map, plane, height - 1 + h) - left,
                width + 2 * halo, step);
        }
        for (int row = 0; row < height; row++) {
            SCALAR *p = ROW(map, plane, row);
            for (int h = 1; h <= halo; h++) {
                NAME(add_pixels)(p + reflect(-h, width) * step, p - h * step, 1, step);
                NAME(add_pixels)(p + reflect(width - 1 + h, width) * step, p + (width - 1 + h) * step, 1, step);
            }
        }
    }
}


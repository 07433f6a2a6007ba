// One concern of the kernels for one (scalar, block); included by Kernels.inc.h alone.

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


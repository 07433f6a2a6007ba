// Included once per (scalar, block) with SCALAR_IS_BF16 and BLOCK defined: the vector of one pixel's channel block.
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define PASTE3(a, b, c) a##_##b##_##c
#define PASTE2(a, b, c) PASTE3(a, b, c)
#if SCALAR_IS_BF16
#define NAME(function) PASTE2(function, bf16, BLOCK)
typedef uint16_t NAME(scalar);
#else
#define NAME(function) PASTE2(function, f32, BLOCK)
typedef float NAME(scalar);
#endif

typedef float NAME(vec) __attribute__((vector_size(BLOCK * 4), aligned(4)));
typedef uint32_t NAME(bits) __attribute__((vector_size(BLOCK * 4), aligned(4)));
typedef int32_t NAME(mask) __attribute__((vector_size(BLOCK * 4), aligned(4)));
typedef uint16_t NAME(half) __attribute__((vector_size(BLOCK * 2), aligned(2)));

#define SCALAR NAME(scalar)
#define VEC NAME(vec)
#define BITS NAME(bits)
#define MASK NAME(mask)

#define KERNEL static __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
// Vector arguments travel only between inlined functions, so no calling convention is involved.
#define INLINE static inline __attribute__((always_inline))

INLINE void NAME(load)(const SCALAR *p, VEC *v) {
#if SCALAR_IS_BF16
    NAME(half) h;
    memcpy(&h, p, sizeof h);
    BITS b = __builtin_convertvector(h, BITS) << 16;
    memcpy(v, &b, sizeof b);
#else
    memcpy(v, p, sizeof *v);
#endif
}

// The upper halves of numbers of these bits, to nearest, ties to even; a NaN stays one, where rounding would carry out of
// its fraction.
INLINE void NAME(round_bits)(BITS *b) {
    const BITS rounded = (*b + 0x7FFF + ((*b >> 16) & 1)) >> 16, quiet = *b >> 16 | 0x40;
    const MASK magnitude = (MASK)(*b & 0x7FFFFFFF);
    const BITS is_nan = (BITS)(magnitude > 0x7F800000);
    *b = (is_nan & quiet) | (~is_nan & rounded);
}

INLINE void NAME(store)(SCALAR *p, const VEC *v) {
#if SCALAR_IS_BF16
    BITS b;
    memcpy(&b, v, sizeof b);
    NAME(round_bits)(&b);
    NAME(half) h = __builtin_convertvector(b, NAME(half));
    memcpy(p, &h, sizeof h);
#else
    memcpy(p, v, sizeof *v);
#endif
}

// Selects a where the mask is set, else b.
INLINE void NAME(select)(const MASK *m, const VEC *a, const VEC *b, VEC *r) {
    MASK x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    MASK z = (*m & x) | (~*m & y);
    memcpy(r, &z, sizeof z);
}

// e^x to about one unit in the last place, for x held to [-87, 88]; NaN stays NaN. x = n ln 2 + f with |f| at most
// ln 2 / 2, and e^f by the Taylor series, which is short enough there.
INLINE void NAME(exponential)(const VEC *x, VEC *r) {
    const VEC low = (VEC){0} - 87.0f, high = (VEC){0} + 88.0f;
    VEC v = *x;
    MASK m = v < low;
    NAME(select)(&m, &low, &v, &v);
    m = v > high;
    NAME(select)(&m, &high, &v, &v);
    // Adding 1.5 * 2^23 rounds to the nearest integer, which then lies in the lowest bits.
    const VEC shifted = v * 0x1.715476p0f + 0x1.8p23f;
    const VEC n = shifted - 0x1.8p23f;
    const VEC f = (v - n * 0x1.62e4p-1f) - n * 0x1.7f7d1cp-20f;
    VEC p = f * (1.0f / 5040) + 1.0f / 720;
    p = p * f + 1.0f / 120;
    p = p * f + 1.0f / 24;
    p = p * f + 1.0f / 6;
    p = p * f + 0.5f;
    p = p * f + 1.0f;
    p = p * f + 1.0f;
    BITS bits;
    memcpy(&bits, &shifted, sizeof bits);
    bits = (bits + 127) << 23;
    VEC scale;
    memcpy(&scale, &bits, sizeof scale);
    *r = p * scale;
}

#define LOAD(v, p) VEC v; NAME(load)((p), &v)
#define STORE(p, v) do { VEC stored_ = (v); NAME(store)((p), &stored_); } while (0)
#define ROW(map, plane, row) \
    ((SCALAR *)(map)->data + (ptrdiff_t)(plane) * (map)->plane_stride + (ptrdiff_t)(row) * (map)->row_stride)
#define AT(map, plane, row, column) (ROW(map, plane, row) + (ptrdiff_t)(column) * (map)->pixel_stride)

// The pixels of a row, `step` scalars apart.
typedef struct {
    SCALAR *first;
    ptrdiff_t step;
} NAME(pixels);
#define PIXELS NAME(pixels)
#define PIXELS_OF(map, plane, row) ((PIXELS){ROW(map, plane, row), (map)->pixel_stride})

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

INLINE void NAME(store)(SCALAR *p, const VEC *v) {
#if SCALAR_IS_BF16
    BITS b;
    memcpy(&b, v, sizeof b);
    b = (b + 0x7FFF + ((b >> 16) & 1)) >> 16;
    NAME(half) h = __builtin_convertvector(b, NAME(half));
    memcpy(p, &h, sizeof h);
#else
    memcpy(p, v, sizeof *v);
#endif
}

#define LOAD(v, p) VEC v; NAME(load)((p), &v)
#define STORE(p, v) do { VEC stored_ = (v); NAME(store)((p), &stored_); } while (0)
#define ROW(map, plane, row) \
    ((SCALAR *)(map)->data + (ptrdiff_t)(plane) * (map)->plane_stride + (ptrdiff_t)(row) * (map)->row_stride)

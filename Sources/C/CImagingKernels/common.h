#pragma once
#include <stddef.h>
#include <string.h>

/// One copy per instruction set level, chosen when the program is loaded.
#define DKP_HOT __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#define DKP_INLINE static inline __attribute__((always_inline))

/// Cache-line-wide vectors: one AVX-512 register, two AVX2 or four SSE ones. Alignment is that of an element.
enum { FLOATS = 16, DOUBLES = 8 };
typedef float floats __attribute__((vector_size(64), aligned(4)));
typedef double doubles __attribute__((vector_size(64), aligned(8)));

#define DKP_LOAD_FLOATS(address) (*(const floats *)(address))
#define DKP_LOAD_DOUBLES(address) (*(const doubles *)(address))

DKP_INLINE ptrdiff_t round_up(ptrdiff_t value, ptrdiff_t unit) { return (value + unit - 1) / unit * unit; }

DKP_INLINE ptrdiff_t at_most(ptrdiff_t value, ptrdiff_t limit) { return value < limit ? value : limit; }

/// The remainder in 0..<modulus, for negative values too.
DKP_INLINE ptrdiff_t wrap(ptrdiff_t value, ptrdiff_t modulus) {
    const ptrdiff_t remainder = value % modulus;
    return remainder < 0 ? remainder + modulus : remainder;
}

/// Indices per part so that a part holds about `work` operations, when one index costs `cost` of them: below that,
/// waking another thread costs more than it saves.
DKP_INLINE ptrdiff_t grain_for(ptrdiff_t cost, ptrdiff_t work) {
    return cost >= work ? 1 : work / (cost < 1 ? 1 : cost);
}

/// Copies count elements of one circular row of `width` elements, `stride` apart, the first one at index `start`.
#define DKP_COPY_STRIDED(target, source, width, start, stride, count)                                                  \
    do {                                                                                                               \
        ptrdiff_t position_ = wrap((start), (width));                                                                  \
        const ptrdiff_t step_ = (stride) % (width);                                                                    \
        for (ptrdiff_t index_ = 0; index_ < (count); index_++) {                                                       \
            (target)[index_] = (source)[position_];                                                                    \
            position_ += step_;                                                                                        \
            if (position_ >= (width)) position_ -= (width);                                                            \
        }                                                                                                              \
    } while (0)

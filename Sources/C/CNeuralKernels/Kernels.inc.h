// The kernels for one (scalar, block); see Vectors.h. Each body handles a part of a range of tasks.
#include "Vectors.h"

#include "Normalization.inc.h"

#include "Halo.inc.h"

#include "Resampling.inc.h"

#include "Channels.inc.h"

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
#undef AT
#undef PIXELS
#undef PIXELS_OF
#undef WITH_CONSTANT_KIND
#undef PASTE2
#undef PASTE3

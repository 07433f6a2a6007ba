#pragma once
#include <stddef.h>

/// Static, contiguous fork-join loops on libgomp's own team: the team that oneDNN uses. A second pool of threads on
/// the same cores would spin against it.

/// Called with a part [begin, end) of the index range and the index of that part.
typedef void (*dkp_range_body)(void *_Nullable context, int part, ptrdiff_t begin, ptrdiff_t end);

/// Sets the number of threads for every later loop, oneDNN's included. Values below 1 mean 1.
void dkp_set_thread_count(int threads);

/// The number of threads that a loop may use; also the largest number of parts.
int dkp_thread_count(void);

/// Splits [0, count) into at most `dkp_thread_count()` contiguous parts of at least `grain` indices (the last may be
/// smaller) and runs them. The split depends on the count, the grain and the thread count alone, so a reduction over
/// parts is reproducible. Returns the number of parts run.
int dkp_parallel_for(ptrdiff_t count, ptrdiff_t grain, dkp_range_body _Nonnull body, void *_Nullable context);

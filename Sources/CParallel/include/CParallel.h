#pragma once
#include <stddef.h>

/// Static, contiguous fork-join loops on libgomp's own team: the team that oneDNN uses. A second pool of threads on
/// the same cores would spin against it.

/// Called once per thread with its share [begin, end) of the index range and the index of that share.
typedef void (*dkp_range_body)(void *_Nullable context, int share, ptrdiff_t begin, ptrdiff_t end);

/// Sets the number of threads for every later loop, oneDNN's included. Values below 1 mean 1.
void dkp_set_thread_count(int threads);

/// The number of threads that a loop may use; also the largest number of shares.
int dkp_thread_count(void);

/// Splits [0, count) into at most `dkp_thread_count()` contiguous shares of at least `grain` indices (the last may be
/// smaller) and runs them. The split depends on the count, the grain and the thread count alone, so a reduction over
/// shares is reproducible. Returns the number of shares run.
int dkp_parallel_for(ptrdiff_t count, ptrdiff_t grain, dkp_range_body _Nonnull body, void *_Nullable context);

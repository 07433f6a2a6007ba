#include "CParallel.h"

// libgomp's stable entry points; the Swift toolchain's compiler has no omp.h of its own for this runtime.
extern void GOMP_parallel(void (*function)(void *), void *data, unsigned threads, unsigned flags);
extern int omp_get_max_threads(void);
extern int omp_get_thread_num(void);
extern int omp_get_num_threads(void);
extern void omp_set_num_threads(int threads);
extern void omp_set_dynamic(int dynamic);

typedef struct {
    ptrdiff_t count;
    int shares;
    dkp_range_body body;
    void *context;
} Loop;

void dkp_set_thread_count(int threads) {
    omp_set_dynamic(0);
    omp_set_num_threads(threads < 1 ? 1 : threads);
}

int dkp_thread_count(void) { return omp_get_max_threads(); }

static void run_share(const Loop *loop, int share) {
    const ptrdiff_t begin = loop->count * share / loop->shares;
    const ptrdiff_t end = loop->count * (share + 1) / loop->shares;
    if (begin < end) loop->body(loop->context, share, begin, end);
}

static void run_team_member(void *data) {
    const Loop *loop = data;
    // The runtime may grant fewer threads than asked for: the shares stay the same, some thread runs several.
    for (int share = omp_get_thread_num(); share < loop->shares; share += omp_get_num_threads())
        run_share(loop, share);
}

int dkp_parallel_for(ptrdiff_t count, ptrdiff_t grain, dkp_range_body body, void *context) {
    if (count <= 0) return 0;
    if (grain < 1) grain = 1;
    const ptrdiff_t wanted = (count + grain - 1) / grain;
    const int available = dkp_thread_count();
    Loop loop = {count, wanted < available ? (int)wanted : available, body, context};
    if (loop.shares == 1)
        run_share(&loop, 0);
    else
        GOMP_parallel(run_team_member, &loop, (unsigned)loop.shares, 0);
    return loop.shares;
}

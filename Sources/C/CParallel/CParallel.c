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
    int parts;
    dkp_range_body body;
    void *context;
} Loop;

void dkp_set_thread_count(int threads) {
    omp_set_dynamic(0);
    omp_set_num_threads(threads < 1 ? 1 : threads);
}

int dkp_thread_count(void) { return omp_get_max_threads(); }

static void run_part(const Loop *loop, int part) {
    const ptrdiff_t begin = loop->count * part / loop->parts;
    const ptrdiff_t end = loop->count * (part + 1) / loop->parts;
    if (begin < end) loop->body(loop->context, part, begin, end);
}

static void run_team_member(void *data) {
    const Loop *loop = data;
    // The runtime may grant fewer threads than asked for: the parts stay the same, some thread runs several.
    for (int part = omp_get_thread_num(); part < loop->parts; part += omp_get_num_threads())
        run_part(loop, part);
}

int dkp_parallel_for(ptrdiff_t count, ptrdiff_t grain, dkp_range_body body, void *context) {
    if (count <= 0) return 0;
    if (grain < 1) grain = 1;
    const ptrdiff_t wanted = (count + grain - 1) / grain;
    const int available = dkp_thread_count();
    Loop loop = {count, wanted < available ? (int)wanted : available, body, context};
    if (loop.parts == 1)
        run_part(&loop, 0);
    else
        GOMP_parallel(run_team_member, &loop, (unsigned)loop.parts, 0);
    return loop.parts;
}

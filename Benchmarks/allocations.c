// Counts the memory that a program takes, for `dkp benchmark`: preloaded (LD_PRELOAD), it stands in front of the C
// library's allocator and tells who asked. The program asks for the counts by the name of the function at the end.
//
//     cc -O2 -shared -fPIC -o allocations.so allocations.c -ldl

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);

static atomic_llong calls_of_ours, largest_of_ours, calls_of_libraries;

// The code that counts as ours: the program itself and the Swift runtime, which allocates on its behalf.
typedef struct { uintptr_t begin, end; } range;
static range ranges[64];
static atomic_int range_count;

static int add_ranges(struct dl_phdr_info *info, size_t size, void *context) {
    (void)size, (void)context;
    const char *slash = strrchr(info->dlpi_name, '/');
    const char *name = slash ? slash + 1 : info->dlpi_name;
    const int is_program = info->dlpi_name[0] == 0 && range_count == 0;  // It comes first and has no name.
    if (!is_program && strncmp(name, "libswift", 8) != 0 && strncmp(name, "libFoundation", 13) != 0) return 0;
    for (int i = 0; i < info->dlpi_phnum && range_count < 64; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        if (part->p_type != PT_LOAD || !(part->p_flags & PF_X)) continue;
        const uintptr_t begin = info->dlpi_addr + part->p_vaddr;
        ranges[range_count] = (range){begin, begin + part->p_memsz};
        range_count++;
    }
    return 0;
}

__attribute__((constructor)) static void find_ranges(void) { dl_iterate_phdr(add_ranges, NULL); }

static void count(const void *caller, size_t bytes) {
    const uintptr_t address = (uintptr_t)caller;
    for (int i = 0; i < range_count; i++) {
        if (address < ranges[i].begin || address >= ranges[i].end) continue;
        calls_of_ours++;
        long long largest = largest_of_ours;
        while (largest < (long long)bytes &&
               !atomic_compare_exchange_weak(&largest_of_ours, &largest, (long long)bytes)) {}
        return;
    }
    calls_of_libraries++;
}

#define COUNT(bytes) count(__builtin_return_address(0), bytes)

void *malloc(size_t size) { COUNT(size); return __libc_malloc(size); }
void *calloc(size_t number, size_t size) { COUNT(number * size); return __libc_calloc(number, size); }
void *realloc(void *block, size_t size) { COUNT(size); return __libc_realloc(block, size); }
void *memalign(size_t alignment, size_t size) { COUNT(size); return __libc_memalign(alignment, size); }
void *aligned_alloc(size_t alignment, size_t size) { COUNT(size); return __libc_memalign(alignment, size); }

int posix_memalign(void **block, size_t alignment, size_t size) {
    COUNT(size);
    void *memory = __libc_memalign(alignment, size);
    if (!memory) return ENOMEM;
    *block = memory;
    return 0;
}

// Allocations since the program began, ours and those of other libraries; the bytes of the largest of ours since the
// last call.
void dkp_benchmark_allocations(long long counts[3]) {
    counts[0] = calls_of_ours;
    counts[1] = calls_of_libraries;
    counts[2] = atomic_exchange(&largest_of_ours, 0);
}

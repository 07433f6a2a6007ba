#define _GNU_SOURCE
#include "CSystemCalls.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

static _Atomic(dkp_call_begin) begin;
static _Atomic(dkp_call_end) end;
static _Atomic pid_t observed;

void dkp_observe_calls(dkp_call_begin new_begin, dkp_call_end new_end) {
    atomic_store(&end, new_end);
    atomic_store(&observed, getpid());
    atomic_store(&begin, new_begin);
}

/// What is to be told of the end of a call; NULL for nothing, as in a child between fork and exec, where another thread
/// may hold any lock for ever.
static void *observer(const char *name, const char *path, int descriptor) {
    dkp_call_begin function = atomic_load(&begin);
    if (!function || getpid() != atomic_load(&observed)) return NULL;
    int cause = errno;
    void *found = function(name, path, descriptor);
    errno = cause;
    return found;
}

static void tell(void *observer, const char *name, int descriptor, int succeeded) {
    if (!observer) return;
    int cause = errno;
    atomic_load(&end)(observer, name, descriptor, succeeded);
    errno = cause;
}

#define OBSERVED(type, name, path, descriptor, parameters, arguments) \
    type __real_##name parameters; \
    type __wrap_##name parameters; \
    type __wrap_##name parameters { \
        void *observing = observer(#name, path, descriptor); \
        type result = __real_##name arguments; \
        tell(observing, #name, descriptor, result >= 0); \
        return result; \
    }

OBSERVED(ssize_t, write, NULL, file, (int file, const void *bytes, size_t count), (file, bytes, count))
OBSERVED(ssize_t, pwrite, NULL, file, (int file, const void *bytes, size_t count, off_t start),
         (file, bytes, count, start))
OBSERVED(int, ftruncate, NULL, file, (int file, off_t length), (file, length))
OBSERVED(int, fsync, NULL, file, (int file), (file))
OBSERVED(int, fdatasync, NULL, file, (int file), (file))
OBSERVED(int, mkdir, path, -1, (const char *path, mode_t mode), (path, mode))
OBSERVED(int, rmdir, path, -1, (const char *path), (path))
OBSERVED(int, unlink, path, -1, (const char *path), (path))
OBSERVED(int, rename, to, -1, (const char *from, const char *to), (from, to))
OBSERVED(int, renameat2, to, -1, (int folder, const char *from, int new_folder, const char *to, unsigned flags),
         (folder, from, new_folder, to, flags))

#define _GNU_SOURCE
#include "CLinux.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

int dkp_rename_exclusively(const char *from, const char *to) {
    return renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE);
}

int dkp_open_regular(const char *path) {
    int handle = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (handle < 0) return -1;
    struct stat status;
    int result = -1;
    int cause = 0;
    if (fstat(handle, &status) != 0) {
        cause = errno;
    } else if (S_ISLNK(status.st_mode)) {
        cause = ELOOP;
    } else if (!S_ISREG(status.st_mode)) {
        cause = EINVAL;
    } else {
        // The descriptor's own name in /proc opens the very file that was asked about, not what has its name now.
        char name[64];
        snprintf(name, sizeof name, "/proc/self/fd/%d", handle);
        result = open(name, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
        cause = errno;
    }
    close(handle);
    if (result < 0) errno = cause;
    return result;
}

int dkp_open_folder(const char *path) { return open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC); }

int dkp_is_open_for_writing(int descriptor) {
    // A writer that comes while the lease is held makes the kernel signal us: SIGIO would end the process, SIGURG is
    // ignored by default.
    if (fcntl(descriptor, F_SETSIG, SIGURG) != 0) return -1;
    if (fcntl(descriptor, F_SETLEASE, F_RDLCK) == 0) {
        (void)fcntl(descriptor, F_SETLEASE, F_UNLCK);
        return 0;
    }
    return errno == EAGAIN ? 1 : -1;
}

int dkp_lock_description(int descriptor) {
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    return fcntl(descriptor, F_OFD_SETLK, &lock);
}

int dkp_is_description_locked(int descriptor) {
    // A shared lock is what one asks for: only an exclusive one is in its way.
    struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET};
    if (fcntl(descriptor, F_OFD_GETLK, &lock) != 0) return -1;
    return lock.l_type == F_WRLCK;
}

int dkp_pipe(int ends[2], int capacity) {
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return -1;
    (void)fcntl(ends[1], F_SETPIPE_SZ, capacity);
    return 0;
}

int dkp_open_both_ways(int descriptor) {
    char name[64];
    snprintf(name, sizeof name, "/proc/self/fd/%d", descriptor);
    return open(name, O_RDWR | O_NONBLOCK | O_CLOEXEC);
}

int dkp_process_descriptor(pid_t identifier) {
    return (int)syscall(SYS_pidfd_open, identifier, 0);
}

int dkp_signal_process(int process_descriptor, int signal) {
    return (int)syscall(SYS_pidfd_send_signal, process_descriptor, signal, NULL, 0);
}

int dkp_process_has_ended(int process_descriptor) {
    struct pollfd request = {.fd = process_descriptor, .events = POLLIN};
    int count;
    do {
        count = poll(&request, 1, 0);
    } while (count < 0 && errno == EINTR);
    return count;
}

int dkp_limit_memory(pid_t identifier, unsigned long long bytes) {
    struct rlimit limit = {.rlim_cur = bytes, .rlim_max = bytes};
    return prlimit(identifier, RLIMIT_DATA, &limit, NULL);
}

int dkp_add_niceness(pid_t identifier, int niceness) {
    errno = 0;
    int own = getpriority(PRIO_PROCESS, 0);
    if (own == -1 && errno != 0) return -1;
    return setpriority(PRIO_PROCESS, (id_t)identifier, own + niceness);
}

int dkp_name_thread(const char *name) { return prctl(PR_SET_NAME, name); }

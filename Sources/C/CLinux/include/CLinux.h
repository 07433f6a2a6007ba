/// System calls that Swift cannot import: those that _GNU_SOURCE declares and those without a libc wrapper in Debian 12.
/// Each returns -1 and sets errno on failure, as the calls themselves do.
#pragma once

#include <sys/types.h>

/// Renames `from` to `to` and fails with EEXIST where `to` exists, whatever it is.
/// EINVAL: the file system cannot do it atomically.
int dkp_rename_exclusively(const char *_Nonnull from, const char *_Nonnull to);

/// Opens `path` for reading if, and only if, it is a regular file: a symbolic link is not followed, and the opening
/// itself touches nothing else (no FIFO wakes, no device reacts), because the kind is asked of an O_PATH descriptor.
/// ELOOP: a symbolic link. EINVAL: another kind that is not a regular file.
int dkp_open_regular(const char *_Nonnull path);

/// A descriptor that stands for the directory `path` and is good for paths through /proc/self/fd only; a symbolic link
/// is not followed. ENOTDIR or ELOOP: it is no directory.
int dkp_open_folder(const char *_Nonnull path);

/// 1 when some process has the file open for writing, 0 when none has, -1 when the file system or the file's owner
/// does not let one ask (a read lease is tried and given back). The descriptor must be open for reading only.
int dkp_is_open_for_writing(int descriptor);

/// Locks a file for this open description of it alone (an "open file description" lock), without waiting. EAGAIN: another
/// has it open and locked. The descriptor must be open for writing.
int dkp_lock_description(int descriptor);

/// 1 when another open description has the file locked by `dkp_lock_description`, 0 when none has; takes no lock itself,
/// so asking stands in nobody's way.
int dkp_is_description_locked(int descriptor);

/// Makes a pipe whose ends do not block and are closed by exec: `ends[0]` for reading, `ends[1]` for writing. It holds
/// `capacity` bytes where the system allows for that, else what pipes hold.
int dkp_pipe(int ends[_Nonnull 2], int capacity);

/// Opens the pipe of a descriptor once more, for reading and writing, not blocking, closed by exec: whoever holds it is
/// a reader of what he writes, and so never without one.
int dkp_open_both_ways(int descriptor);

/// A descriptor of the process `identifier` that no later process of the same number can be mistaken for.
int dkp_process_descriptor(pid_t identifier);

/// Sends `signal` through a descriptor of `dkp_process_descriptor`. ESRCH: the process is gone.
int dkp_signal_process(int process_descriptor, int signal);

/// 1 when the process has ended, 0 when it has not.
int dkp_process_has_ended(int process_descriptor);

/// Limits the writable memory that a process may take for itself (RLIMIT_DATA: what it really gets, not the address
/// space that thread stacks and allocators only set aside).
int dkp_limit_memory(pid_t identifier, unsigned long long bytes);

/// Makes a process give way to others by so much more than this one does; 19 is the most.
int dkp_add_niceness(pid_t identifier, int niceness);

/// Gives the running thread a name for the system's tools, of which the first 15 bytes count.
int dkp_name_thread(const char *_Nonnull name);

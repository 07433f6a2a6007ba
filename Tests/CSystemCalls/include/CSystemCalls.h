#ifndef CSYSTEMCALLS_H
#define CSYSTEMCALLS_H

/// Tells of the system calls that change files. The test program is linked with `--wrap` for each of them, so that what
/// our modules call is this, whatever layer of theirs it comes from. Until an observer is set, all it does is the call.
///
/// `begin` is told of a call that is about to be made: its name, the path that it is for (the new one, of a rename), or the
/// descriptor where `path` is NULL. It returns what is to be told of the end, or NULL for a call that is of no interest.
/// `end` is told that it was made, and whether it succeeded.
typedef void *_Nullable (*dkp_call_begin)(const char *_Nonnull name, const char *_Nullable path, int descriptor);
typedef void (*dkp_call_end)(
    void *_Nonnull observer, const char *_Nonnull name, int descriptor, int succeeded);

/// Sets the observer of this process. A child process has none.
void dkp_observe_calls(dkp_call_begin _Nonnull begin, dkp_call_end _Nonnull end);

#endif

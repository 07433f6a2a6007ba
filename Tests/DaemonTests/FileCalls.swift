import Foundation
import SystemPackage
import TestSupport

/// A library, loaded before all others into a daemon, that writes down which thread makes which of the system calls that
/// wait for the disk.
struct FileCalls {
    /// A call.
    struct Call: Hashable {
        /// The name of the thread that made it.
        var thread: String
        /// The function's name.
        var name: String
        /// The path that it was given; empty if it took a descriptor.
        var path: String
    }

    private let library: PreloadedLibrary
    private let record: FilePath

    /// Builds the library.
    init(in directory: FilePath) throws {
        library = try PreloadedLibrary(Self.source, in: directory.string)
        record = directory.appending("calls.txt")
        try drop("", record)
    }

    /// A command that starts a program with the library.
    var launcher: [String] { ["/usr/bin/env", library.assignment, "CALLS_RECORD=\(record)"] }

    /// How many bytes have been hashed so far.
    func bytesHashed() throws -> Int {
        try calls().filter { $0.name == "EVP_DigestUpdate" }.compactMap { Int($0.path) }.reduce(0, +)
    }

    /// The calls so far.
    func calls() throws -> [Call] {
        // Longer than the tests' own way of reading takes.
        String(decoding: try Data(contentsOf: URL(fileURLWithPath: record.string)), as: UTF8.self)
            .split(separator: "\n").compactMap { line in
                let words = line.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
                return words.count == 3 ? Call(thread: words[0], name: words[1], path: words[2]) : nil
            }
    }

    private static let source = #"""
        #define _GNU_SOURCE
        #include <dirent.h>
        #include <dlfcn.h>
        #include <errno.h>
        #include <fcntl.h>
        #include <stdarg.h>
        #include <stdio.h>
        #include <stdlib.h>
        #include <string.h>
        #include <sys/prctl.h>
        #include <sys/stat.h>
        #include <sys/statvfs.h>
        #include <unistd.h>

        static int record = -1;

        __attribute__((constructor)) static void begin(void) {
            const char *path = getenv("CALLS_RECORD");
            /* Workers inherit the environment. */
            if (path && strcmp(program_invocation_short_name, "dkpd") == 0)
                record = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
        }

        static void note(const char *call, const char *path) {
            if (record < 0) return;
            const int error = errno;
            char thread[16] = "", line[4600];
            prctl(PR_GET_NAME, thread);
            const int length = snprintf(line, sizeof line, "%s\t%s\t%s\n", thread, call, path);
            if (length > 0 && length < (int)sizeof line && write(record, line, length) < 0) abort();
            errno = error;
        }

        #define CALL(type, name, parameters, path, ...) \
            type name parameters { \
                static type(*real) parameters; \
                if (!real) real = (type(*) parameters)dlsym(RTLD_NEXT, #name); \
                note(#name, path); \
                return real(__VA_ARGS__); \
            }

        static int mode_of(int flags, va_list list) { return flags & (O_CREAT | O_TMPFILE) ? va_arg(list, int) : 0; }

        #define OPEN(name, parameters, ...) \
            int name parameters { \
                static int(*real) parameters; \
                if (!real) real = (int(*) parameters)dlsym(RTLD_NEXT, #name); \
                va_list list; \
                va_start(list, flags); \
                const int mode = mode_of(flags, list); \
                va_end(list); \
                note(#name, path); \
                return real(__VA_ARGS__, mode); \
            }

        OPEN(open, (const char *path, int flags, ...), path, flags)
        OPEN(open64, (const char *path, int flags, ...), path, flags)
        OPEN(openat, (int at, const char *path, int flags, ...), at, path, flags)
        OPEN(openat64, (int at, const char *path, int flags, ...), at, path, flags)
        CALL(DIR *, opendir, (const char *path), path, path)
        CALL(int, stat, (const char *path, struct stat *status), path, path, status)
        CALL(int, lstat, (const char *path, struct stat *status), path, path, status)
        CALL(int, statvfs, (const char *path, struct statvfs *status), path, path, status)
        CALL(int, access, (const char *path, int mode), path, path, mode)
        CALL(int, chmod, (const char *path, mode_t mode), path, path, mode)
        CALL(int, mkdir, (const char *path, mode_t mode), path, path, mode)
        CALL(int, rmdir, (const char *path), path, path)
        CALL(int, unlink, (const char *path), path, path)
        CALL(int, rename, (const char *path, const char *to), path, path, to)
        CALL(int, renameat2, (int from, const char *path, int at, const char *to, unsigned flags), path, from, path, at, to, flags)
        CALL(int, fsync, (int descriptor), "", descriptor)
        CALL(int, fdatasync, (int descriptor), "", descriptor)
        CALL(int, ftruncate, (int descriptor, off_t size), "", descriptor, size)

        /* What is hashed: its length stands for a path. */
        int EVP_DigestUpdate(void *context, const void *bytes, size_t count) {
            static int (*real)(void *, const void *, size_t);
            if (!real) real = (int (*)(void *, const void *, size_t))dlsym(RTLD_NEXT, "EVP_DigestUpdate");
            char length[24];
            snprintf(length, sizeof length, "%zu", count);
            note("EVP_DigestUpdate", length);
            return real(context, bytes, count);
        }
        """#
}

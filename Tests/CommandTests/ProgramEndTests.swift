import Foundation
import TestSupport
import Testing

/// Threads may hash or write when a program ends: libraries must not end under them.
@Suite struct `A program that ends` {
    /// Writes a file at the end of the program if the ends of libraries are run.
    private static let source = #"""
        #include <fcntl.h>
        #include <stdlib.h>
        __attribute__((destructor)) static void end(void) {
            const char *path = getenv("END_OF_LIBRARIES");
            if (path) creat(path, 0600);
        }
        """#

    /// Runs a command and tells its end and whether those of its libraries were run.
    private func run(
        _ command: [String], with library: PreloadedLibrary, in directory: String
    ) throws -> (end: Finished, libraries: Bool) {
        let mark = "\(directory)/mark"
        try? FileManager.default.removeItem(atPath: mark)
        let words = [library.assignment, "END_OF_LIBRARIES=\(mark)"] + command
        let finished = try Program.finish(Program.start(words, at: "/usr/bin/env", in: directory), in: directory)
        return (finished, FileManager.default.fileExists(atPath: mark))
    }

    @Test func `leaves the libraries that its threads may be in as they are, whatever its end`() throws {
        try withTemporaryDirectory { directory in
            let library = try PreloadedLibrary(Self.source, in: directory)
            #expect(try run(["true"], with: library, in: directory).libraries, "the library does not tell")

            let dkp = try Program.path("dkp")
            let dkpd = try Program.path("dkpd")
            for (command, status) in [
                ([dkp, "--version"], Int32(0)), ([dkp, "--help"], 0), ([dkp, "frobnicate"], 64),
                ([dkp, "sample-scene", "x.png", "--size", "24x20"], 0), ([dkp, "work", "none"], 66),
                ([dkp, "inspect", "preloaded.c"], 65), ([dkpd, "--help"], 0), ([dkpd, "--config", "none.yaml"], 78),
            ] {
                let (end, libraries) = try run(command, with: library, in: directory)
                #expect(end.status == status, "\(command): \(end.errors)")
                #expect(!libraries, "\(command)")
                #expect(!(end.output + end.errors).isEmpty || command.contains("sample-scene"), "\(command)")
            }
        }
    }
}

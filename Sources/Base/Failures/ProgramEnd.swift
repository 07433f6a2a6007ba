import Glibc

/// The end of a program whose threads may be at work.
package enum ProgramEnd {
    /// Ends the program at once: what was printed is written out, and nothing else happens.
    ///
    /// `exit` runs the end of every library while the other threads go on: one that hashes a checkpoint at that moment
    /// finds the tables of libcrypto gone, and the program dies of it instead of ending with its code.
    /// - Parameter code: the exit code; success becomes ``ExitStatus/inputOutput`` where what was printed cannot be
    ///   written.
    package static func now(_ code: Int32) -> Never {
        let isWritten = fflush(nil) == 0
        _exit(code == ExitStatus.success.rawValue && !isWritten ? ExitStatus.inputOutput.rawValue : code)
    }
}

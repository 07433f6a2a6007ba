/// The exit codes of the programs: a contract with scripts, the daemon and cluster schedulers (sysexits.h's numbers).
///
/// The numbers stand here and nowhere else in the sources.
public enum ExitStatus: Int32, Sendable, CaseIterable {
    /// Done.
    case success = 0
    /// Another daemon works on the state folder.
    case stateFolderInUse = 1
    /// A command line that makes no sense.
    case usage = 64
    /// Bad input data.
    case badInput = 65
    /// No such input, or it may not be read.
    case noInput = 66
    /// A library, the weights or a newer version of the program is not there.
    case unavailable = 69
    /// An internal error.
    case internalError = 70
    /// The output cannot be created.
    case cannotCreate = 73
    /// The system failed to read or write.
    case inputOutput = 74
    /// Stopped by a signal, checkpoint written: run again to go on.
    case interrupted = 75
    /// A newer worker has taken the job over; this one has stopped and writes nothing more.
    case superseded = 77
    /// Bad settings.
    case badSettings = 78
}

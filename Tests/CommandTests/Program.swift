import Foundation

/// A finished run of a program.
struct Finished {
    var status: Int32
    var output: String
    var errors: String
}

/// The programs that were built beside these tests.
enum Program {
    static func path(_ name: String) throws -> String {
        let tests = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        return URL(fileURLWithPath: tests).deletingLastPathComponent().appendingPathComponent(name).path
    }

    /// Starts a program, `dkp` unless told otherwise; its output goes to files in `directory`.
    static func start(_ arguments: [String], of program: String = "dkp", in directory: String) throws -> Process {
        try start(arguments, at: try path(program), in: directory)
    }

    /// Starts the program of a path.
    static func start(_ arguments: [String], at program: String, in directory: String) throws -> Process {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = arguments
        process.currentDirectoryURL = URL(fileURLWithPath: directory)
        // Idle threads of several programs on the same cores must not spin against each other.
        // Where a test names no method, the one that opens no weights.
        process.environment = [
            "DKP_METHOD": "dip-dkp", "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive",
            "PATH": "/usr/bin:/bin",
        ]
        for name in ["output", "errors"] {
            try Data().write(to: URL(fileURLWithPath: "\(directory)/.\(name)"))
        }
        process.standardOutput = try FileHandle(forWritingTo: URL(fileURLWithPath: "\(directory)/.output"))
        process.standardError = try FileHandle(forWritingTo: URL(fileURLWithPath: "\(directory)/.errors"))
        process.standardInput = FileHandle.nullDevice
        try process.run()
        return process
    }

    /// What a started program did, once it has ended.
    static func finish(_ process: Process, in directory: String) throws -> Finished {
        process.waitUntilExit()
        func text(_ name: String) throws -> String {
            String(decoding: try Data(contentsOf: URL(fileURLWithPath: "\(directory)/.\(name)")), as: UTF8.self)
        }
        return Finished(
            status: process.terminationReason == .exit ? process.terminationStatus : -process.terminationStatus,
            output: try text("output"), errors: try text("errors"))
    }

    /// Runs `dkp` as a user to whom permissions apply: the superuser may read and write everything.
    static func withoutPrivileges(_ arguments: [String], in directory: String) throws -> Finished {
        if getuid() != 0 { return try finish(start(arguments, in: directory), in: directory) }
        let bare = ["--bounding-set", "-all", "--inh-caps", "-all", try path("dkp")]
        return try finish(start(bare + arguments, at: "/usr/bin/setpriv", in: directory), in: directory)
    }

    /// Runs `dkp` in a directory.
    static func dkp(_ arguments: String..., in directory: String) throws -> Finished {
        try finish(start(arguments, in: directory), in: directory)
    }
}

/// The bytes of a file.
func bytes(_ path: String) throws -> [UInt8] { Array(try Data(contentsOf: URL(fileURLWithPath: path))) }

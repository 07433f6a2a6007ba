import Foundation
import Jobs
import Restoration
import TestSupport
import Testing

/// What the parser answers by itself, in both programs: help, the version, and its errors.
@Suite struct HelpTests {
    /// A program, the command within it, and what its help must name.
    struct Command: CustomTestStringConvertible {
        var program = "dkp"
        var names: [String] = []
        var words: [String]

        var testDescription: String { ([program] + names).joined(separator: " ") }
    }

    static let commands = [
        Command(words: [
            "restore", "deconvolve", "work", "degrade", "evaluate", "inspect", "status", "submit", "--version",
            "Exit codes",
        ]),
        Command(
            names: ["restore"],
            words: [
                "<IN>", "--output", "--scale", "--kernel", "--steps", "--seed", "--precision", "--threads",
                "--checkpoint-interval", "--preset", "--sampler", "--reference", "--reference-kernel", "--restart",
                "--force",
            ]),
        Command(names: ["work"], words: ["<JOBDIR>", "--lease"]),
        Command(names: ["status"], words: ["--json", "--watch", "--state-dir"]),
        Command(names: ["submit"], words: ["<FILE>", "--set", "--state-dir"]),
        Command(names: ["cancel"], words: ["<JOB>", "--state-dir"]),
        Command(names: ["retry"], words: ["<JOB>", "--set", "--without-settings", "--state-dir"]),
        Command(names: ["logs"], words: ["<JOB>", "--follow", "--state-dir"]),
        Command(
            names: ["degrade"],
            words: ["<HR.png>", "--output", "--scale", "--kernel", "--kernel-file", "--noise", "--save-kernel"]),
        Command(
            names: ["evaluate"],
            words: ["<RESTORED.png>", "<REFERENCE.png>", "--scale", "--kernel", "--reference-kernel", "--json"]),
        Command(names: ["inspect"], words: ["<FILE.h5", "--json"]),
        Command(names: ["sample-scene"], words: ["<OUT.png>", "--size", "--seed"]),
        Command(program: "dkp-benchmark", words: ["dip-step", "unet", "checkpoint"]),
        Command(
            program: "dkp-benchmark", names: ["dip-step"],
            words: ["--size", "--precision", "--steps", "--threads", "--json"]),
        Command(
            program: "dkp-benchmark", names: ["checkpoint"],
            words: ["--checkpoints", "--threads", "--directory", "--json"]),
        Command(program: "dkpd", words: ["--config", "--state-dir", "--version"]),
    ]

    @Test(arguments: commands)
    func `help exits 0 and names the options on standard output`(_ command: Command) throws {
        var forms = [command.names + ["--help"], command.names + ["-h"]]
        if command.program == "dkp" { forms.append(["help"] + command.names) }
        for form in forms {
            let run = try Self.run(command.program, form)
            #expect(run.status == 0, "\(form)")
            #expect(run.errors == "", "\(form)")
            for word in command.words { #expect(run.output.contains(word), "\(form) does not tell of \(word)") }
        }
    }

    @Test func `the help begins with what to type first and ends with the exit codes`() throws {
        let help = try Self.run("dkp", ["--help"]).output
        let order = ["dkp restore photo.png", "dkp submit", "dkp status", "SUBCOMMANDS", "Exit codes", "78"].map {
            help.range(of: $0)?.lowerBound
        }
        #expect(
            order.allSatisfy { $0 != nil } && order.compactMap { $0 }.sorted() == order.compactMap { $0 }, "\(help)")
    }

    @Test(arguments: [("restor", "restore"), ("stauts", "status"), ("sumbit", "submit"), ("hlep", "help")])
    func `a mistyped command is told the nearest`(_ typed: String, _ meant: String) throws {
        let run = try Self.run("dkp", [typed, "x.png", "--output", "y"])
        #expect(run.status == 64 && run.output == "")
        #expect(run.errors.contains("\"\(typed)\" is no command; \(meant) may be meant"), "\(run.errors)")
        #expect(run.errors.contains("Usage"))
    }

    @Test func `dkp alone shows its help`() throws {
        let run = try Self.run("dkp", [])
        #expect(run.status == 0)
        #expect(run.output.contains("restore") && run.errors == "")
    }

    @Test(arguments: ["dkp", "dkpd"])
    func `the version is printed`(_ program: String) throws {
        let run = try Self.run(program, ["--version"])
        #expect(run.status == 0)
        #expect(run.output == Software.version + "\n")
    }

    @Test(arguments: commands)
    func `an unknown flag exits 64 and is named with the usage on standard error`(_ command: Command) throws {
        let run = try Self.run(command.program, command.names + ["--bogus"])
        #expect(run.status == 64)
        #expect(run.output == "")
        #expect(run.errors.contains("--bogus") || run.errors.contains("Missing expected argument"), "\(run.errors)")
        #expect(run.errors.contains("Usage"), "\(run.errors)")
    }

    private static func run(_ program: String, _ arguments: [String]) throws -> Finished {
        try withTemporaryDirectory { directory in
            try Program.finish(Program.start(arguments, of: program, in: directory), in: directory)
        }
    }
}

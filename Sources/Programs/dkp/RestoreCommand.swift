import ArgumentParser
import Jobs

struct RestoreCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "restore",
        abstract: "Restores one image in the foreground.",
        discussion: """
            The state is kept in DIR/.job until the result is complete. After any interruption, the same command goes on \
            where the last checkpoint was written; where the result is there already it says so and changes nothing.

            Ctrl-C, SIGTERM or a closed terminal stop it with a checkpoint. A second signal changes nothing; a third, two \
            seconds after the first or later, ends it at once, and the last complete checkpoint stands.
            """)

    @Argument(help: ArgumentHelp("The low-resolution image: PNG, JPEG or TIFF.", valueName: "IN"))
    var input: String
    @Option(name: [.long, .short], help: ArgumentHelp("The directory for the result.", valueName: "DIR"))
    var output: String
    @OptionGroup(title: "Settings")
    var options: SettingsOptions
    @OptionGroup(title: "Limits")
    var inputLimits: InputLimitOptions
    @Option(help: ArgumentHelp("The true image, to score the result with.", valueName: "HR.png"))
    var reference: String?
    @Option(help: ArgumentHelp("The true kernel, to score the result with.", valueName: "K.h5"))
    var referenceKernel: String?
    @Flag(help: "Throw away an unfinished job in DIR and begin anew.")
    var restart = false
    @Flag(help: "Write over a result that is in DIR already.")
    var force = false

    func run() throws {
        let settings = try options.settings()
        var references: JobRecord.References?
        if reference != nil || referenceKernel != nil {
            references = JobRecord.References(
                image: reference.map(absolutePath), kernel: referenceKernel.map(absolutePath))
        }
        try ForegroundRun(
            input: input, output: output, settings: settings, limits: inputLimits.limits(), references: references,
            restart: restart, force: force
        ).run()
    }
}

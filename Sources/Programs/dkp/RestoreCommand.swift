import ArgumentParser

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
    @OptionGroup var foreground: ForegroundOptions
    @OptionGroup(title: "Settings")
    var options: SettingsOptions
    @Option(help: ArgumentHelp("The true kernel, to score the result with.", valueName: "K.h5"))
    var referenceKernel: String?

    func run() throws {
        try foreground.run(input, settings: options.settings(), referenceKernel: referenceKernel)
    }
}

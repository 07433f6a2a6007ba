import ArgumentParser
import Failures
import Foundation
import Jobs
import Restoration

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
        let stop = StopRequest()
        try stop.requestOnSignals(tell: Terminal.interject)
        let settings = try options.settings()
        let limits = try inputLimits.limits()
        var references: JobRecord.References?
        if reference != nil || referenceKernel != nil {
            references = JobRecord.References(
                image: reference.map(absolutePath), kernel: referenceKernel.map(absolutePath))
        }
        if !restart, !force,
            let report = try ForegroundJob.finishedReport(
                input: input, output: output, settings: settings, references: references)
        {
            print("\(output): done already, nothing is changed (--force does it again)")
            print(Self.words(report, output: output))
            return
        }
        let foreground = try ForegroundJob(
            input: input, output: output, settings: settings, references: references, restart: restart, force: force)
        if foreground.wasBegun { Terminal.printError("going on with the job in \(output)") }

        let display = ProgressDisplay()
        let outcome: Worker.Outcome
        do {
            outcome = try Worker(
                foreground.job, stop: stop, limits: limits, inputName: input, observe: display.show
            ).run()
        } catch {
            display.finishLine()
            // What another worker holds is not ours to remove.
            let held = [.busy, .superseded].map(RestorationError.name)
            if !held.contains(error.code) { try? foreground.discardUnbegun() }
            throw error
        }
        display.finishLine()
        switch outcome {
        case .interrupted(let step):
            Terminal.printError("stopped at step \(step), checkpoint written; run the same command again to go on")
            throw ExitCode(ExitStatus.interrupted.rawValue)
        case .finished:
            print(Self.words(try foreground.publish(), output: output))
        }
    }

    static func words(_ report: Report, output: String) -> String {
        var text = "\(output)/restored.png: \(report.output.width) x \(report.output.height), \(report.steps) steps, "
        text += "\(ProgressDisplay.duration(report.seconds)) of computing"
        if let psnr = report.psnr, let ssim = report.ssim, let bicubic = report.bicubicPSNR {
            text += String(format: "\nPSNR %.2f dB (bicubic %.2f dB), SSIM %.4f", psnr, bicubic, ssim)
        }
        if let kernel = report.kernelPSNR { text += String(format: "\nkernel PSNR %.2f dB", kernel) }
        return text
    }
}

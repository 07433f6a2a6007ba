import ArgumentParser
import Failures
import Foundation
import Imaging
import Jobs
import Restoration

/// The flags of the commands that run a job in the foreground.
struct ForegroundOptions: ParsableArguments {
    @Option(name: [.long, .short], help: ArgumentHelp("The directory for the result.", valueName: "DIR"))
    var output: String
    @Option(help: ArgumentHelp("The true image, to score the result with.", valueName: "HR.png"))
    var reference: String?
    @Flag(help: "Throw away an unfinished job in DIR and begin anew.")
    var restart = false
    @Flag(help: "Write over a result that is in DIR already.")
    var force = false
    @OptionGroup(title: "Limits")
    var inputLimits: InputLimitOptions

    /// Runs a job of an image.
    /// - Parameter referenceKernel: the true kernel's file, to score the result with.
    /// - Throws: as ``ForegroundRun/run()``; `SettingsError` for limits out of range.
    func run(_ input: String, settings: RestorationSettings, referenceKernel: String? = nil) throws {
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

/// A job run in the foreground from its beginning, or from where an earlier call left it, to its published result.
struct ForegroundRun {
    /// The image.
    var input: String
    /// The directory for the result.
    var output: String
    var settings: RestorationSettings
    var limits: ImageLimits
    /// What the result is scored with.
    var references: JobRecord.References?
    /// Throws away an unfinished job.
    var restart: Bool
    /// Writes over a result that is there.
    var force: Bool

    /// Runs it.
    /// - Throws: what the job throws; `ExitCode` where a signal has stopped it.
    func run() throws {
        let stop = StopRequest()
        try stop.requestOnSignals(tell: Terminal.interject)
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

    private static func words(_ report: Report, output: String) -> String {
        var text = "\(output)/restored.png: \(report.output.width) x \(report.output.height), \(report.steps) steps, "
        text += "\(ProgressDisplay.duration(report.seconds)) of computing"
        if let psnr = report.psnr, let ssim = report.ssim, let bicubic = report.bicubicPSNR {
            text += String(format: "\nPSNR %.2f dB (bicubic %.2f dB), SSIM %.4f", psnr, bicubic, ssim)
        }
        if let kernel = report.kernelPSNR { text += String(format: "\nkernel PSNR %.2f dB", kernel) }
        return text
    }
}

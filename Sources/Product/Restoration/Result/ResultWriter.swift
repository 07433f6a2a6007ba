import Checkpointing
import Files
import Foundation
import Imaging
import Jobs
import SystemPackage
import Tensors

/// Writes a result directory: all of it in the worker's own directory, then put in place by one rename.
struct ResultWriter {
    /// The names of the files of a result, the report last: where it is, the result is whole.
    static let fileNames =
        ["restored.png", "kernel.png", "figure.png", "result.h5"] + JobRecord.inputNames + ["job.log", "report.json"]

    let job: JobDirectory
    let lease: JobLease
    let input: Image
    let references: ReferenceData

    /// What the run adds to the estimate.
    struct Run {
        var trace: RestorationTrace
        var runs: [JobRun]
        var threads: Int
        var notes: [String]
    }

    /// Writes the result and gives it its name; a complete one that is there is left alone.
    /// - Returns: the report.
    /// - Throws: ``RestorationError`` with code `notFinite` for an estimate that is no picture; what writing throws.
    func write(_ estimate: RestorationEstimate, _ run: Run) throws -> Report {
        guard estimate.image.isFinite, estimate.kernel.isFinite else {
            throw RestorationError(
                .notFinite, "the restoration came to numbers that are not finite, so there is no result",
                remedy: "try another seed, or precision f32")
        }
        let restored = self.restored(estimate)
        let bicubic = input.resampledBicubic(height: restored.height, width: restored.width)
        var notes = run.notes
        var scores = Scores()
        do {
            scores = try references.scores(
                restored: restored, bicubic: bicubic, kernel: estimate.kernel, scale: job.record.settings.scale)
        } catch {
            // The image is the result, its score is not: a reference that does not fit must not withhold it.
            notes.append("not scored: \(error)")
        }
        let report = report(restored, estimate, run, scores, notes)

        let temporary = "\(lease.path)/result"
        try LocalFileSystem().remove(temporary)
        try LocalFileSystem().makeDirectory(temporary)
        try write(restored, to: "\(temporary)/restored.png")
        try write(kernelImage(estimate.kernel), to: "\(temporary)/kernel.png")
        try write(figure(restored, estimate.kernel, run.trace, scores), to: "\(temporary)/figure.png")
        try SnapshotFile.write(
            try record(estimate, run.trace), to: "\(temporary)/result.h5", format: "dkp-result", version: 1)
        try copy(job.inputPath, to: "\(temporary)/\(job.record.inputName)")
        do {
            try copy(job.logPath, to: "\(temporary)/job.log")
        } catch let error as FileError where error.path == FilePath(job.logPath) {
            // The log tells of the work; what cannot be read of it must not withhold the result.
            JobLog(path: "\(temporary)/job.log").write(.warning, "the job's log could not be copied: \(error)")
        }
        try LocalFileSystem().replace("\(temporary)/report.json", with: JobJSON.encode(report), durably: true)
        try lease.place("result", at: job.resultPath)
        try LocalFileSystem().synchroniseDirectory(job.path)
        return report
    }

    /// The restored image as it is written: the colour planes of the estimate in the input's depth, its alpha plane
    /// enlarged.
    private func restored(_ estimate: RestorationEstimate) -> Image {
        let (height, width) = (estimate.image.shape[1], estimate.image.shape[2])
        let alpha = input.alpha.map { plane in
            plane.resampledBicubic(height: height, width: width).map { min(max($0, 0), 1) }
        }
        return Image(
            colour: estimate.image.map { min(max($0, 0), 1) }, alpha: alpha, bitDepth: input.bitDepth,
            metadata: input.metadata.enlarged(by: job.record.settings.scale))
    }

    /// `result.h5`: nothing in it depends on when, where or in how many pieces the work was done.
    private func record(_ estimate: RestorationEstimate, _ trace: RestorationTrace) throws -> Snapshot {
        var snapshot = Snapshot()
        snapshot.set("image", estimate.image)
        snapshot.set("kernel", estimate.kernel)
        snapshot.set("trace/loss", Dataset(trace.loss))
        snapshot.set("trace/kernel_loss", Dataset(trace.kernelLoss))
        snapshot.setAttribute("software_version", Software.version)
        snapshot.setAttribute("method", job.record.settings.method.rawValue)
        snapshot.setAttribute("scale", job.record.settings.scale)
        snapshot.setAttribute("settings", try CheckpointHeader.settingsText(job.record.settings))
        snapshot.setAttribute("input_sha256", job.record.inputSHA256)
        snapshot.setAttribute("steps", trace.loss.count)
        return snapshot
    }

    private func figure(_ restored: Image, _ kernel: Tensor<Float>, _ trace: RestorationTrace, _ scores: Scores)
        -> Image
    {
        var figure = Figure(
            input: input, restored: restored, kernel: kernel,
            curves: [
                Figure.Curve(name: "image loss", values: trace.loss),
                Figure.Curve(name: "kernel loss", values: trace.kernelLoss),
            ])
        figure.bicubicEvaluation = scores.bicubic
        figure.restoredEvaluation = scores.restored
        figure.kernelPSNR = scores.kernelPSNR
        return figure.render()
    }

    private func report(
        _ restored: Image, _ estimate: RestorationEstimate, _ run: Run, _ scores: Scores, _ notes: [String]
    ) -> Report {
        func describe(_ image: Image) -> Report.ImageDescription {
            Report.ImageDescription(
                width: image.width, height: image.height, channels: image.channels, bitDepth: image.bitDepth.rawValue,
                hasAlpha: image.alpha != nil)
        }
        return Report(
            jobID: job.record.id, originalName: job.record.originalName, settings: job.record.settings,
            seed: job.record.settings.seed,
            versions: [
                Software.name: Software.version, "job_created_by": job.record.softwareVersion,
                "checkpoint_format": String(SnapshotFile.checkpointVersion), "result_format": "1",
            ],
            inputSHA256: job.record.inputSHA256, input: describe(input), output: describe(restored),
            kernelSize: estimate.kernel.shape[0],
            kernel: Report.KernelShape(
                estimate.kernel, category: estimate.kernelCategory, confidence: estimate.kernelConfidence),
            steps: run.trace.loss.count, seconds: run.runs.reduce(0) { $0 + $1.computeSeconds }, threads: run.threads,
            peakMemoryBytes: run.runs.map(\.peakMemoryBytes).max() ?? 0,
            interruptions: run.runs.dropLast().count { $0.end != .finished },
            resumes: run.runs.count { $0.firstStep > 0 }, created: job.record.created, finished: Date(),
            finalLosses: Report.Losses(
                image: run.trace.loss.last { $0.isFinite }, kernel: run.trace.kernelLoss.last { $0.isFinite }),
            psnr: scores.restored?.psnr, ssim: scores.restored?.ssim, kernelPSNR: scores.kernelPSNR,
            bicubicPSNR: scores.bicubic?.psnr, bicubicSSIM: scores.bicubic?.ssim, notes: notes)
    }

    private func write(_ image: Image, to path: String) throws {
        try LocalFileSystem().replace(path, with: image.pngData(), durably: true)
    }

    private func copy(_ source: String, to target: String) throws {
        let writer = try FileWriter(creating: target)
        try LocalFileSystem().readChunks(source) { try writer.write($0) }
        try writer.synchronise()
    }
}

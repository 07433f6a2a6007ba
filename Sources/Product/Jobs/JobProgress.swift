public import Foundation

/// The present of a running job, written as `progress.json` about once a second.
public struct JobProgress: Sendable, Codable, Equatable {
    /// Steps done.
    public var step: Int
    /// Steps to do.
    public var total: Int
    /// The loss of the image at the last step; nil before the first and where it is not finite.
    public var loss: Double?
    /// The loss of the kernel at the last step that touched it.
    public var kernelLoss: Double?
    /// Steps per second over the last steps; nil before the first.
    public var rate: Double?
    /// Seconds still to go at that rate.
    public var eta: Double?
    /// What the process is about: "starting", "similarity", "writing results".
    public var phase: String
    /// The worker's process id.
    public var pid: Int32
    /// When this was written.
    public var updated: Date

    /// A report in its parts.
    package init(
        step: Int, total: Int, loss: Double?, kernelLoss: Double?, rate: Double?, eta: Double?, phase: String,
        pid: Int32, updated: Date
    ) {
        self.step = step
        self.total = total
        self.loss = loss
        self.kernelLoss = kernelLoss
        self.rate = rate
        self.eta = eta
        self.phase = phase
        self.pid = pid
        self.updated = updated
    }

    enum CodingKeys: String, CodingKey {
        case step, total, loss, rate, eta, phase, pid, updated
        case kernelLoss = "kernel_loss"
    }

    /// The share of the steps that is done, 0 to 1.
    public var fraction: Double { total > 0 ? min(Double(step) / Double(total), 1) : 0 }

    /// The progress last written for a job.
    /// - Throws: ``FileError`` or ``RestorationError`` where there is none yet.
    public static func read(of job: JobDirectory) throws -> JobProgress {
        try JobJSON.decode(JobProgress.self, fromFile: job.progressPath)
    }
}

extension JobProgress {
    /// Reads a progress whose numbers somebody may have written: counts out of range become the nearest that is in it, and
    /// a rate or a time that is none is left out.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        func count(_ key: CodingKeys) throws -> Int {
            min(max(try container.decode(Int.self, forKey: key), 0), Self.mostSteps)
        }
        step = try count(.step)
        total = try count(.total)
        loss = try container.decodeIfPresent(Double.self, forKey: .loss)
        kernelLoss = try container.decodeIfPresent(Double.self, forKey: .kernelLoss)
        rate = try container.decodeIfPresent(Double.self, forKey: .rate).flatMap { $0.isFinite && $0 > 0 ? $0 : nil }
        eta = try container.decodeIfPresent(Double.self, forKey: .eta).flatMap { $0.isFinite && $0 >= 0 ? $0 : nil }
        phase = try container.decode(String.self, forKey: .phase)
        pid = try container.decode(Int32.self, forKey: .pid)
        updated = try container.decode(Date.self, forKey: .updated)
    }

    /// Far more steps than any settings allow, and few enough to reckon with.
    private static let mostSteps = 1 << 40
}

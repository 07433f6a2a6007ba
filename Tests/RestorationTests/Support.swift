import Foundation
import Imaging
import Jobs
import Restoration
import Tensors

/// A small picture with every value somewhere.
func picture(
    channels: Int = 3, hasAlpha: Bool = false, depth: Image.BitDepth = .eight, height: Int = 14, width: Int = 18
) -> Image {
    var stream = RandomStream(seed: 1, name: "picture")
    let colour = Tensor<Float>(
        shape: [channels, height, width], (0..<channels * height * width).map { _ in Float(stream.uniform()) })
    let alpha = Tensor<Float>(shape: [height, width], (0..<height * width).map { Float($0 % width) / Float(width) })
    return Image(colour: colour, alpha: hasAlpha ? alpha : nil, bitDepth: depth)
}

/// Settings of a toy job.
func toySettings(steps: Int = 20, seed: UInt64 = 5) -> RestorationSettings {
    var settings = RestorationSettings()
    settings.method = .dipDKP
    settings.scale = 2
    settings.steps = steps
    settings.seed = seed
    settings.checkpointInterval = 0.1
    return settings
}

/// A job directory with a small picture in it.
func makeJob(
    in parent: String, name: String = "job", image: Image = picture(), settings: RestorationSettings = toySettings(),
    references: JobRecord.References? = nil
) throws -> JobDirectory {
    let input = "\(parent)/\(name)-input.png"
    try image.writePNG(to: input)
    return try JobDirectory.create(
        in: parent, input: input, settings: settings, name: name, originalName: "picture.png", references: references)
}

/// A worker that runs a toy; `willAdvance` is called before every step.
func toyWorker(
    _ job: JobDirectory, stop: StopRequest = StopRequest(), lease: Int? = nil,
    willAdvance: @escaping (Int) throws -> Void = { _ in }
) -> Worker {
    Worker(
        job, stop: stop, lease: lease, memory: nil,
        makeProcess: { input, snapshot in
            let process = try ToyProcess(input, resuming: snapshot)
            process.willAdvance = willAdvance
            return process
        })
}

/// The bytes of a file.
func bytes(_ path: String) throws -> [UInt8] { Array(try Data(contentsOf: URL(fileURLWithPath: path))) }

/// The text of a file.
func text(_ path: String) throws -> String { String(decoding: try bytes(path), as: UTF8.self) }

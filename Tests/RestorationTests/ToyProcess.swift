import Checkpointing
import Jobs
import Restoration
import Tensors

/// A restoration in miniature: noisy gradient descent from noise towards the input, every pixel repeated, with as much
/// state to lose as the real ones: an image, a momentum, a kernel and a random stream.
final class ToyProcess: RestorationProcess {
    struct Broken: Error {}

    private(set) var step = 0
    let totalSteps: Int
    private let target: Tensor<Float>
    private var image: [Float]
    private var momentum: [Float]
    private var kernel: [Float]
    private var stream: RandomStream
    /// Called before every step.
    var willAdvance: (Int) throws -> Void = { _ in }

    static let kernelSize = 5

    init(_ input: RestorationInput, resuming snapshot: Snapshot? = nil) throws {
        totalSteps = input.settings.steps ?? 20
        let (scale, planes) = (input.settings.scale, input.planes)
        let (channels, height, width) = (planes.shape[0], planes.shape[1], planes.shape[2])
        let samples = planes.elements
        var enlarged: [Float] = []
        for channel in 0..<channels {
            for row in 0..<height * scale {
                for column in 0..<width * scale {
                    enlarged.append(samples[(channel * height + row / scale) * width + column / scale])
                }
            }
        }
        target = Tensor(shape: [channels, height * scale, width * scale], enlarged)
        if let snapshot {
            step = try snapshot.int("step")
            image = try snapshot.floats("toy/image", count: enlarged.count)
            momentum = try snapshot.floats("toy/momentum", count: enlarged.count)
            kernel = try snapshot.floats("toy/kernel", count: Self.kernelSize * Self.kernelSize)
            stream = try snapshot.stream("random/toy")
        } else {
            var stream = RandomStream(seed: input.settings.seed, name: "toy")
            image = enlarged.map { _ in Float(stream.uniform()) }
            momentum = image.map { _ in 0 }
            kernel = (0..<Self.kernelSize * Self.kernelSize).map { _ in Float(stream.uniform()) }
            self.stream = stream
        }
    }

    func advance() throws -> StepRecord {
        try willAdvance(step)
        var loss = 0.0
        let wanted = target.elements
        for index in image.indices {
            let error = image[index] - wanted[index]
            loss += Double(error * error)
            momentum[index] = 0.8 * momentum[index] - 0.1 * error + 0.01 * Float(stream.normal())
            image[index] += momentum[index]
        }
        for index in kernel.indices { kernel[index] = abs(kernel[index] + 0.05 * Float(stream.normal())) }
        step += 1
        return StepRecord(
            step: step, imageLoss: loss / Double(image.count), kernelLoss: step % 3 == 0 ? loss / 7 : .nan, phase: "toy"
        )
    }

    func snapshot() throws -> Snapshot {
        var snapshot = Snapshot()
        snapshot.set("toy/image", Dataset(image))
        snapshot.set("toy/momentum", Dataset(momentum))
        snapshot.set("toy/kernel", Dataset(kernel))
        snapshot.set(stream, as: "random/toy")
        return snapshot
    }

    func estimate() throws -> RestorationEstimate {
        let sum = kernel.reduce(0, +)
        return RestorationEstimate(
            image: Tensor(shape: target.shape, image.map { min(max($0, 0), 1) }),
            kernel: Tensor(shape: [Self.kernelSize, Self.kernelSize], kernel.map { $0 / sum }))
    }
}

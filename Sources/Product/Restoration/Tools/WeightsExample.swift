import Diffusion
import HDF5
public import Jobs
import Tensors

/// The example that a weights file may carry in its group `example`: an input, and what the original implementation said
/// of it. Running it proves the whole way from the original's file to this program's answer.
public struct WeightsExample: Sendable {
    /// How far this program's answer is from the original's.
    public struct Comparison: Sendable, Encodable {
        /// The norm of the difference over that of the original's answer.
        public var relativeError: Double
        /// The greatest difference of a value.
        public var greatestDifference: Double
        /// The number of images compared.
        public var images: Int

        enum CodingKeys: String, CodingKey {
            case images
            case relativeError = "relative_error"
            case greatestDifference = "greatest_difference"
        }

        /// In words.
        public var words: String {
            "\(images) images, relative error \(relativeError), greatest difference \(greatestDifference)"
        }
    }

    private let images: Tensor<Float>
    private let timesteps: [Int]
    private let labels: [Int]?
    private let answers: Tensor<Float>

    /// Reads the example of a model.
    /// - Throws: ``RestorationError`` if there is none or its arrays do not belong together; `HDF5Error`.
    public init(_ location: WeightsLocation) throws {
        try location.requireFile()
        let file = try HDF5File(reading: location.path)
        let group = "\(location.group.map { "\($0)/" } ?? "")example"
        guard file.contains("\(group)/x"), file.contains("\(group)/t"), file.contains("\(group)/output") else {
            throw RestorationError(
                .badInput, "\(location): carries no example", remedy: "convert the weights with --example")
        }
        let x = try file.readFloats("\(group)/x")
        let output = try file.readFloats("\(group)/output")
        timesteps = try file.readInt64s("\(group)/t").values.map { Int(clamping: $0) }
        labels =
            file.contains("\(group)/y") ? try file.readInt64s("\(group)/y").values.map { Int(clamping: $0) } : nil
        let count = timesteps.count
        guard x.shape.count == 4, output.shape.count == 4, x.shape[0] == count, output.shape[0] == count, count > 0,
            output.shape[2...] == x.shape[2...], labels.map({ $0.count == count }) ?? true
        else {
            throw RestorationError(
                .badInput,
                "\(location): its example's arrays do not belong together: x \(x.shape), output \(output.shape), "
                    + "\(count) timesteps")
        }
        images = Tensor(shape: x.shape, x.values)
        answers = Tensor(shape: output.shape, output.values)
    }

    /// Runs a network on the example.
    /// - Throws: what the network throws; `DiffusionError` for an answer of another shape than the original's.
    public func compare(_ model: DiffusionModel) throws -> Comparison {
        var (error, energy, greatest) = (0.0, 0.0, 0.0)
        for index in timesteps.indices {
            let expected = answers.item(index)
            let found = try model.predictor.predict(
                images.item(index), timestep: Double(timesteps[index]), label: labels?[index])
            guard found.shape == expected.shape else {
                throw DiffusionError(
                    .unusableNetwork, "\(model.name): answered an array of \(found.shape), expected \(expected.shape)")
            }
            for (found, expected) in zip(found.elements, expected.elements) {
                let difference = Double(found) - Double(expected)
                error += difference * difference
                energy += Double(expected) * Double(expected)
                greatest = difference.isNaN ? .infinity : max(greatest, abs(difference))
            }
        }
        return Comparison(
            relativeError: (error / max(energy, .leastNormalMagnitude)).squareRoot(), greatestDifference: greatest,
            images: timesteps.count)
    }
}

extension Tensor {
    /// One of the arrays along the first axis.
    fileprivate func item(_ index: Int) -> Tensor {
        let shape = Array(shape.dropFirst())
        let count = shape.reduce(1, *)
        return withUnsafeBufferPointer { Tensor(shape: shape, $0[index * count..<(index + 1) * count]) }
    }
}

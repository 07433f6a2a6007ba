import Diffusion
import NeuralNetwork
import TestSupport
import Tensors
import Testing

@Suite struct `U-Nets` {
    static let groups = [
        "adm_updown_scaleshift", "adm_class_conditional", "adm_plain_convdown_eps3", "ddpm_diffusers",
    ]

    /// One image of an example: what goes in, and what the original implementation gave.
    private func example(
        _ group: String, _ index: Int
    ) throws -> (image: Tensor<Float>, timestep: Int, label: Int?, output: Tensor<Float>) {
        let golden = GoldenNumbers.unets
        func image(_ name: String) throws -> Tensor<Float> {
            let batch = try golden.floats("\(group)/example/\(name)")
            let count = batch.count / batch.shape[0]
            return Tensor(
                shape: Array(batch.shape.dropFirst()), batch.elements[index * count..<(index + 1) * count])
        }
        let labels = "\(group)/example/y"
        return (
            try image("x"), try golden.integers("\(group)/example/t")[index],
            try golden.contains(labels) ? try golden.integers(labels)[index] : nil, try image("output")
        )
    }

    private func network(_ group: String, precision: Precision) throws -> UNet {
        try UNet(try WeightsFile(GoldenNumbers.unets.path, group: group), precision: precision)
    }

    @Test(arguments: groups, Precision.allCases)
    func `predictions equal the originals'`(group: String, precision: Precision) throws {
        let network = try network(group, precision: precision)
        for index in try GoldenNumbers.unets.integers("\(group)/example/t").indices {
            let example = try example(group, index)
            let output = try network.predict(
                example.image, timestep: Double(example.timestep), label: example.label)
            let tolerance = precision == .f32 ? 1e-4 : 2e-2
            let square = example.output.elements.reduce(0) { $0 + Double($1) * Double($1) }
            let size = (square / Double(example.output.count)).squareRoot()
            if precision == .f32 {
                expectClose(output, example.output, absolute: tolerance * size, relative: tolerance, "\(index)")
            } else {
                // Rounding is noise over the image: its size counts, not its largest value of thousands.
                let distance = zip(output.elements, example.output.elements)
                    .reduce(0) { $0 + Double($1.0 - $1.1) * Double($1.0 - $1.1) }
                #expect(output.shape == example.output.shape)
                #expect((distance / square).squareRoot() < tolerance, "\(index)")
            }
        }
    }

    @Test func `a configuration tells what the network takes and gives`() throws {
        let learned = try network("adm_class_conditional", precision: .f32)
        #expect(learned.channels == 3 && learned.predictsVariance && learned.classCount == 10)
        let plain = try network("ddpm_diffusers", precision: .f32)
        #expect(plain.channels == 3 && !plain.predictsVariance && plain.classCount == nil)
    }

    @Test func `the same input gives the same bytes, also after an image of another size`() throws {
        let network = try network("adm_updown_scaleshift", precision: .bf16)
        let example = try example("adm_updown_scaleshift", 0)
        func predict() throws -> Tensor<Float> { try network.predict(example.image, timestep: 17) }
        let first = try predict()
        #expect(try predict() == first)
        let wide = Tensor<Float>(shape: [3, 6, 44], repeating: 0.5)
        #expect(try network.predict(wide, timestep: 3).shape == [6, 6, 44])
        #expect(try predict() == first)
    }

    @Test func `what does not suit a network is refused by name`() throws {
        let network = try network("adm_class_conditional", precision: .f32)
        let image = Tensor<Float>(shape: [3, 16, 24])
        #expect { try network.predict(image, timestep: 1) } throws: { "\($0)".contains("0 to 9") }
        #expect { try network.predict(image, timestep: 1, label: 10) } throws: { "\($0)".contains("not 10") }
        #expect { try network.predict(Tensor(shape: [3, 15, 24]), timestep: 1, label: 1) } throws: {
            "\($0)".contains("divide by 2, not 15 x 24")
        }
        #expect { try network.predict(Tensor(shape: [1, 16, 24]), timestep: 1, label: 1) } throws: {
            $0 is DiffusionError && "\($0)".contains("[1, 16, 24]")
        }
        let other = try self.network("ddpm_diffusers", precision: .f32)
        #expect { try other.predict(image, timestep: 1, label: 1) } throws: { "\($0)".contains("no classes") }
    }

    @Test func `the ImageNet configuration has 552.8 million parameters`() throws {
        let shapes = try UNetConfiguration.guidedDiffusion(.imageNet256).parameterShapes()
        #expect(shapes.reduce(0) { $0 + $1.shape.reduce(1, *) } == 552_814_086)
    }
}

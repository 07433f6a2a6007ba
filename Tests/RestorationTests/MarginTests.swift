import Restoration
import Tensors
import Testing

/// The canvas of a picture whose surroundings were not seen.
@Suite struct `A margin` {
    private func planes(_ height: Int, _ width: Int) -> Tensor<Float> {
        var stream = RandomStream(seed: 7, name: "planes")
        return Tensor(shape: [3, height, width], (0..<3 * height * width).map { _ in Float(stream.uniform()) })
    }

    @Test(arguments: [(20, 30), (3, 40), (1, 1), (2, 5)], [1, 3, 8])
    func `leaves what was seen as it is`(_ size: (Int, Int), _ margin: Int) {
        let planes = planes(size.0, size.1)
        let canvas = planes.extended(by: margin)
        #expect(canvas.shape == [3, size.0 + 2 * margin, size.1 + 2 * margin])
        #expect(canvas.inner(margin) == planes)
        #expect(canvas.elements.allSatisfy { (0...1).contains($0) })
    }

    @Test func `leads from one border to the opposite one without a seam`() {
        let ramp = Tensor<Float>(
            shape: [1, 8, 40], (0..<8 * 40).map { Float($0 % 40) / 39 })
        let canvas = ramp.extended(by: 6)
        let width = 52
        for row in 0..<20 {
            for column in 0..<width {
                let difference = canvas[row * width + column] - canvas[row * width + (column + 1) % width]
                #expect(abs(difference) < 0.2, "\(row), \(column)")
            }
        }
    }

    @Test(arguments: [(1, 15, 63, 31), (2, 3, nil, nil), (3, 3, nil, nil), (4, 3, nil, nil), (8, 3, nil, nil)])
    func `is as wide as the kernel reaches`(scale: Int, width: Int, kernel: Int?, widthOfKernel: Int?) {
        #expect(Margin.width(scale: scale) == width)
        if let kernel, let widthOfKernel {
            #expect(Margin.width(scale: scale, kernelSize: kernel) == widthOfKernel)
        }
    }
}

/// A kernel that is smaller than those of its scale.
@Suite struct `A small kernel` {
    @Test func `keeps its middle and its sum in a larger one`() {
        let kernel = Tensor<Float>(shape: [3, 3], (1...9).map { Float($0) / 45 })
        let padded = kernel.padded(toSize: 7)
        #expect(padded.shape == [7, 7] && padded[24] == kernel[4] && padded[16] == kernel[0])
        #expect(abs(padded.elements.reduce(0, +) - 1) < 1e-6)
        // There is nothing to add to one that is as large, and no middle to meet in one of an even size.
        #expect(kernel.padded(toSize: 3) == kernel && kernel.padded(toSize: 8) == kernel)
    }
}

import Foundation
import HDF5
import Imaging
import Tensors
import TestSupport
import Testing

@Suite struct QualityTests {
    static func noise(_ shape: [Int], seed: UInt64) -> Tensor<Float> {
        var random = RandomStream(seed: seed, name: "quality")
        return Tensor(shape: shape, (0..<shape.reduce(1, *)).map { _ in Float(random.uniform()) })
    }

    @Test func `evaluation meets the golden numbers`() throws {
        let golden = GoldenNumbers.dip
        func planes(_ name: String) throws -> Tensor<Float> {
            let batch = try golden.floats("evaluation/\(name)")
            return batch.reshaped(Array(batch.shape.dropFirst()))
        }
        func number(_ name: String) throws -> Double {
            try #require(golden.attribute(name, of: "evaluation").doubleValue)
        }
        let scale = try #require(golden.attribute("scale", of: "evaluation").intValue)
        let found = try evaluate(
            restored: planes("restored"), reference: planes("reference"), scale: Int(scale))
        expectClose(found.psnr, try number("psnr_y"), relative: 1e-6, "psnr")
        expectClose(found.ssim, try number("ssim_y"), relative: 1e-6, "ssim")
    }

    @Test func `luma runs from 16 for black to 235 for white`() {
        for channels in [1, 3] {
            let black = Tensor<Float>(shape: [channels, 1, 1])
            let white = Tensor<Float>(shape: [channels, 1, 1], repeating: 1)
            #expect(luma(of: black)[0] == 16)
            #expect(abs(luma(of: white)[0] - 235) < 1e-12)
        }
        let green = Tensor<Float>(shape: [3, 1, 1], [0, 1, 0])
        #expect(abs(luma(of: green)[0] - 144.553) < 1e-12)
    }

    @Test func `a constant error of one level has the PSNR of its definition`() {
        let first = Tensor<Double>(shape: [20, 20], repeating: 100)
        let second = Tensor<Double>(shape: [20, 20], repeating: 101)
        #expect(abs(psnr(first, second, peak: 255) - 20 * log10(255)) < 1e-12)
        #expect(psnr(first, first, peak: 255) == .infinity)
    }

    @Test func `structural similarity equals a plain sum over every window`() {
        let (height, width) = (13, 15)
        let first = Self.noise([height, width], seed: 1).map { Double($0) * 255 }
        let second = Self.noise([height, width], seed: 2).map { Double($0) * 255 }
        let weights = (-5...5).map { exp(-Double($0 * $0) / 4.5) }
        let total = weights.reduce(0, +) * weights.reduce(0, +)
        var sum = 0.0
        for top in 0...height - 11 {
            for left in 0...width - 11 {
                var moments = [Double](repeating: 0, count: 5)
                for y in 0..<11 {
                    for x in 0..<11 {
                        let weight = weights[y] * weights[x] / total
                        let offset = (top + y) * width + left + x
                        let (a, b) = (first[offset], second[offset])
                        for (index, value) in [a, b, a * a, b * b, a * b].enumerated() {
                            moments[index] += weight * value
                        }
                    }
                }
                let (a, b) = (moments[0], moments[1])
                let contrast = 2 * (moments[4] - a * b) + 58.5225
                let spread = moments[2] - a * a + moments[3] - b * b + 58.5225
                sum += (2 * a * b + 6.5025) / (a * a + b * b + 6.5025) * contrast / spread
            }
        }
        #expect(abs(ssim(first, second, peak: 255) - sum / Double((height - 10) * (width - 10))) < 1e-9)
        #expect(abs(ssim(first, first, peak: 255) - 1) < 1e-12)
    }

    @Test func `a gray image is measured as one with three equal planes`() throws {
        let restored = Self.noise([1, 40, 44], seed: 3)
        let reference = Self.noise([1, 40, 44], seed: 4)
        func tripled(_ gray: Tensor<Float>) -> Image {
            Image(colour: Tensor(shape: [3, 40, 44], gray.elements + gray.elements + gray.elements))
        }
        let gray = try evaluate(restored: Image(colour: restored), reference: Image(colour: reference), scale: 2)
        #expect(try evaluate(restored: tripled(restored), reference: tripled(reference), scale: 2) == gray)
        #expect(try evaluate(restored: Image(colour: restored), reference: tripled(reference), scale: 2) == gray)
    }

    @Test func `the border of scale squared pixels does not count`() throws {
        let reference = Self.noise([3, 33, 35], seed: 5)
        var restored = reference
        for index in 0..<35 * 4 { restored[index] = 0 }
        #expect(try evaluate(restored: restored, reference: reference, scale: 2).psnr == .infinity)
        restored[35 * 4 + 4] = 1 - restored[35 * 4 + 4].rounded()
        #expect(try evaluate(restored: restored, reference: reference, scale: 2).psnr < 100)
    }

    @Test func `images that cannot be compared are a typed error`() {
        let image = Self.noise([3, 40, 40], seed: 6)
        for (other, scale) in [(Self.noise([3, 40, 41], seed: 6), 2), (image, 4)] {
            let error = #expect(throws: ImageError.self) {
                try evaluate(restored: image, reference: other, scale: scale)
            }
            #expect(error?.code == .notComparable)
        }
        let kernel = Self.noise([5, 5], seed: 7)
        #expect(throws: ImageError.self) { try kernelPSNR(kernel, Self.noise([7, 7], seed: 7)) }
    }

    @Test func `kernel PSNR has a peak of one`() throws {
        var kernel = Tensor<Float>(shape: [3, 3])
        kernel[4] = 1
        var other = kernel
        other[4] = 0.5
        #expect(abs(try kernelPSNR(kernel, other) - 10 * log10(9 / 0.25)) < 1e-9)
        #expect(try kernelPSNR(kernel, kernel) == .infinity)
    }
}

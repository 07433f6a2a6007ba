import Foundation
import KernelFamilies
import KernelPrior
import Tensors

/// The squared distance of a kernel from a known one, as a loss.
struct Distance: KernelLoss {
    let truth: Tensor<Float>
    var count: Int { truth.count }

    func loss(of kernel: Tensor<Float>) -> Double { squaredDistance(kernel, truth) }
}

func squaredDistance(_ left: Tensor<Float>, _ right: Tensor<Float>) -> Double {
    zip(left.elements, right.elements).reduce(0) { sum, pair in
        let difference = Double(pair.0) - Double(pair.1)
        return sum + difference * difference
    }
}

/// 10 log10(1 / MSE), in decibels.
func peakSignalToNoise(_ kernel: Tensor<Float>, _ truth: Tensor<Float>) -> Double {
    -10 * log10(max(squaredDistance(kernel, truth) / Double(truth.count), 1e-30))
}

/// A prior of one family at scale 4 with its default settings.
func makePrior(_ family: KernelFamily, scale: Int = 4, centre: KernelCentre = .registered) throws -> KernelPrior {
    try KernelPrior(settings: KernelPriorSettings(family: family, scale: scale, centre: centre))
}

/// A picture of blocks in three colours, `[3, side, side]`: edges in both directions.
func blocksPicture(side: Int) -> Tensor<Float> {
    var random = RandomStream(seed: 3, name: "picture")
    var image = Tensor<Float>(shape: [3, side, side])
    for _ in 0..<60 {
        let (top, left) = (random.index(below: side), random.index(below: side))
        let (rows, columns) = (2 + random.index(below: side / 3), 2 + random.index(below: side / 3))
        for channel in 0..<3 {
            let value = Float(random.uniform())
            for row in top..<min(side, top + rows) {
                for column in left..<min(side, left + columns) {
                    image[(channel * side + row) * side + column] = value
                }
            }
        }
    }
    return image
}

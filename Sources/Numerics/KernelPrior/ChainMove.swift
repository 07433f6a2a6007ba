import Foundation
import KernelFamilies
import Tensors

/// The moves of a Metropolis chain. All but the last five are preconditioned Crank-Nicolson moves of some coordinates,
/// z' = sqrt(1 - b^2) z + b xi, or of the component along one direction: they leave the standard normal prior
/// invariant, so that the likelihood alone decides on acceptance. Each has its own step size b.
enum ChainMove: Int, CaseIterable, Sendable {
    case gaussianAll, gaussianFirstVariance, gaussianSecondVariance, gaussianOrientation
    case motionAll, motionLength, motionShape, motionDirection, motionShake
    /// One turn alone, which swings the rest of the path.
    case motionTurn
    /// A turn and its opposite later on, which shift the rest of the path instead.
    case motionHinge
    /// A smooth change of direction over the whole path.
    case motionBend
    case motionLine
    /// One shake anew.
    case motionNewShake
    /// Between a straight line and a nearly straight path of about the same length.
    case motionStraighten
    /// Everything anew, the category too.
    case priorDraw
    /// Between any motion kernel (from the prior) and the Gaussian of the same second moments.
    case matchMoments
    /// Between a straight line and the Gaussian of the same second moments.
    case matchLine

    /// Whether the move has a step size, which adapts.
    var hasStep: Bool { rawValue < ChainMove.motionNewShake.rawValue }

    /// The moves within a category and how often each is chosen.
    static func choices(for category: KernelCategory) -> [(move: ChainMove, weight: Double)] {
        switch category {
        case .gaussian:
            [(.gaussianAll, 2), (.gaussianFirstVariance, 1), (.gaussianSecondVariance, 1), (.gaussianOrientation, 1)]
        case .motion:
            [
                (.motionAll, 1), (.motionLength, 1), (.motionShape, 2), (.motionDirection, 2), (.motionShake, 1),
                (.motionTurn, 2), (.motionHinge, 3), (.motionBend, 4), (.motionLine, 1), (.motionNewShake, 0.5),
                (.motionStraighten, 0.5),
            ]
        case .free: []
        }
    }

    /// Applies a move that the prior is invariant under, in place.
    func apply(to z: inout [Double], step: Double, stream: inout RandomStream) {
        switch self {
        case .gaussianAll, .motionAll:
            for index in z.indices { Self.rotate(&z[index], step, &stream) }
        case .gaussianFirstVariance: Self.rotate(&z[GaussianLatent.firstVariance], step, &stream)
        case .gaussianSecondVariance: Self.rotate(&z[GaussianLatent.secondVariance], step, &stream)
        case .gaussianOrientation:
            for index in GaussianLatent.orientation { Self.rotate(&z[index], step, &stream) }
        case .motionLength: Self.rotate(&z[MotionLatent.length], step, &stream)
        case .motionShape:
            let shape = [MotionLatent.anxiety, MotionLatent.perturbation, MotionLatent.pull]
            Self.rotate(&z[shape[stream.index(below: shape.count)]], step, &stream)
        case .motionDirection:
            for index in MotionLatent.direction { Self.rotate(&z[index], step, &stream) }
        case .motionShake:
            for index in Self.randomShake(&stream) { Self.rotate(&z[index], step, &stream) }
        case .motionTurn:
            let turns = MotionLatent.turns
            Self.rotate(&z[turns.lowerBound + stream.index(below: turns.count)], step, &stream)
        case .motionHinge: Self.hinge(&z, step, &stream)
        case .motionBend: Self.bend(&z, step, &stream)
        case .motionLine:
            Self.rotate(&z[MotionLatent.lineChoice], step, &stream)
            Self.rotate(&z[MotionLatent.lineLength], step, &stream)
        case .motionNewShake:
            for index in Self.randomShake(&stream) { z[index] = stream.normal() }
        case .motionStraighten, .priorDraw, .matchMoments, .matchLine:
            preconditionFailure("\(self) has no step size")
        }
    }

    private static func rotate(_ z: inout Double, _ step: Double, _ stream: inout RandomStream) {
        z = (1 - step * step).squareRoot() * z + step * stream.normal()
    }

    private static func randomShake(_ stream: inout RandomStream) -> Range<Int> {
        let first = MotionLatent.shakes.lowerBound + 3 * stream.index(below: MotionLatent.shakeCount)
        return first..<(first + 3)
    }

    /// Moves the component along a unit direction, given by its non-zero elements.
    private static func rotate(
        _ z: inout [Double], along direction: [(index: Int, element: Double)], _ step: Double,
        _ stream: inout RandomStream
    ) {
        let component = direction.reduce(0) { $0 + $1.element * z[$1.index] }
        let change = ((1 - step * step).squareRoot() - 1) * component + step * stream.normal()
        for (index, element) in direction { z[index] += change * element }
    }

    private static func hinge(_ z: inout [Double], _ step: Double, _ stream: inout RandomStream) {
        let turns = MotionLatent.turns
        let lag = Int(pow(Double(turns.count / 3), stream.uniform()))
        if stream.uniform() < 0.5 {
            let first = turns.lowerBound + stream.index(below: turns.count - lag)
            let element = 0.5.squareRoot()
            rotate(&z, along: [(first, element), (first + lag, -element)], step, &stream)
        } else {
            let first = turns.lowerBound + stream.index(below: turns.count - 2 * lag)
            let element = (1.0 / 6).squareRoot()
            rotate(
                &z, along: [(first, element), (first + lag, -2 * element), (first + 2 * lag, element)], step, &stream)
        }
    }

    private static func bend(_ z: inout [Double], _ step: Double, _ stream: inout RandomStream) {
        let turns = MotionLatent.turns
        let count = Double(turns.count)
        // Low frequencies more often; 0 bends the whole path one way.
        let frequency = (pow(count / 2, stream.uniform()) - 1).rounded(.down)
        let norm = ((frequency == 0 ? 1 : 2) / count).squareRoot()
        let direction = turns.map { index in
            (index, norm * cos(.pi * frequency * (Double(index - turns.lowerBound) + 0.5) / count))
        }
        rotate(&z, along: direction, step, &stream)
    }
}

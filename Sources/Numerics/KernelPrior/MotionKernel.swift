import CKernelPriorKernels
import Foundation
public import Tensors

/// A motion blur: the time that a camera's path spends over each pixel.
///
/// The path is that of Boracchi & Foi, "Modeling the performance of image restoration from motion blur" (2012), in the
/// form of Kupyn et al. (2018): a point moves at constant speed (inertia), its direction perturbed at random, pulled
/// back towards the origin, and now and then nearly reversed by an impulsive shake. Only the perturbation across the
/// direction of motion has an effect at constant speed, so a path is a sequence of turns.
public struct MotionKernel: Sendable, Equatable {
    /// An impulsive shake.
    public struct Shake: Sendable, Equatable {
        /// When it happens, as a share of the path, 0 to 1.
        public var time: Double
        /// By how much the direction turns, in radians.
        public var turn: Double

        /// A shake at a share of the path, with a turn in radians.
        public init(time: Double, turn: Double) {
            self.time = time
            self.turn = turn
        }
    }

    /// The number of points of a path.
    public static let pointCount = 2000

    /// The path's length in pixels; positive.
    public var length: Double
    /// The direction of the first step, in radians from the columns' axis towards the rows'.
    public var direction: Double
    /// The turn within each of as many equal segments of the path, in radians; empty for a straight line.
    public var turns: [Double] = []
    /// How strongly the path is pulled back: change of the unit direction per point and pixel of distance.
    public var pull = 0.0
    /// The impulsive shakes, in any order.
    public var shakes: [Shake] = []

    /// A straight line of a length in pixels and a direction in radians.
    public init(length: Double, direction: Double) {
        self.length = length
        self.direction = direction
    }

    /// The kernel `[size, size]`, non-negative, sum 1, in double precision: the path's points splatted bilinearly with
    /// their mean at `centre` on both axes. A path that would leave the grid is shrunk about its mean until it just
    /// fits, so the centre of mass is always exact.
    public func rendered(size: Int, centre: Double) -> Tensor<Double> {
        var kernel = Tensor<Double>(shape: [size, size])
        kernel.withUnsafeMutableBufferPointer { render(into: $0, size: size, centre: centre) }
        return kernel
    }

    func render(into kernel: UnsafeMutableBufferPointer<Double>, size: Int, centre: Double) {
        precondition(size >= 2 && kernel.count == size * size, "the buffer must hold a kernel of 2 or more rows")
        precondition(centre > 0 && centre < Double(size - 1), "the centre \(centre) must lie inside the kernel")
        let steps = Double(Self.pointCount - 1)
        let jumps = shakes.map {
            // A time that is no number counts as the beginning.
            dkp_shake(
                step: $0.time > 0 ? Int((min($0.time, 1) * steps).rounded(.down)) : 0, cosine: cos($0.turn),
                sine: sin($0.turn))
        }.sorted { ($0.step, $0.cosine, $0.sine) < ($1.step, $1.cosine, $1.sine) }
        let turns = self.turns.isEmpty ? [0] : self.turns
        guard let base = kernel.baseAddress else { return }
        withUnsafeTemporaryAllocation(of: Double.self, capacity: 2 * Self.pointCount) { path in
            guard let x = path.baseAddress else { return }
            let y = x + Self.pointCount
            turns.withUnsafeBufferPointer { turns in
                guard let firstTurn = turns.baseAddress else { return }
                // An empty array has no address to give: one unused shake stands in for none.
                (jumps.isEmpty ? [dkp_shake()] : jumps).withUnsafeBufferPointer { shakes in
                    guard let firstShake = shakes.baseAddress else { return }
                    dkp_motion_path(
                        x, y, Self.pointCount, length, cos(direction), sin(direction), firstTurn, turns.count, pull,
                        firstShake, jumps.count)
                }
            }
            dkp_splat_path(base, size, centre, x, y, Self.pointCount)
        }
    }
}

import Glibc
import Tensors

/// Signed distances to the borders of shapes, negative inside, and patterns; all in the scene's own units.
enum SceneShapes {
    static func length(_ vector: SIMD2<Float>) -> Float { (vector * vector).sum().squareRoot() }

    static func circle(_ point: SIMD2<Float>, centre: SIMD2<Float>, radius: Float) -> Float {
        length(point - centre) - radius
    }

    /// A rectangle of the given half sides around the origin, with rounded corners.
    static func box(_ point: SIMD2<Float>, half: SIMD2<Float>, corner: Float = 0) -> Float {
        let outside = SIMD2(abs(point.x), abs(point.y)) - half + corner
        return length(pointwiseMax(outside, .zero)) + min(max(outside.x, outside.y), 0) - corner
    }

    /// A line with round ends.
    static func stroke(
        _ point: SIMD2<Float>, from start: SIMD2<Float>, to end: SIMD2<Float>, radius: Float
    ) -> Float {
        let along = end - start
        let share = min(max(((point - start) * along).sum() / max((along * along).sum(), 1e-12), 0), 1)
        return length(point - start - share * along) - radius
    }

    /// A lens between two arcs: a leaf from (-1, 0) to (1, 0) times `half`, about `width` thick in the middle.
    static func leaf(_ point: SIMD2<Float>, half: Float, width: Float) -> Float {
        let radius = (half * half + width * width / 4) / width
        let centre = SIMD2<Float>(0, radius - width / 2)
        return max(circle(point, centre: centre, radius: radius), circle(point, centre: -centre, radius: radius))
    }

    static func rotated(_ vector: SIMD2<Float>, by angle: Float) -> SIMD2<Float> {
        let (c, s) = (cosf(angle), sinf(angle))
        return SIMD2(c * vector.x - s * vector.y, s * vector.x + c * vector.y)
    }

    /// The share of a pixel at `position` covered by bars of half a period each, one beginning at every multiple of the
    /// period; exact for a pixel of the given size, so that bars finer than pixels become their mean.
    static func bars(_ position: Float, period: Float, pixel: Float) -> Float {
        // The integral of the bars up to a position.
        func covered(_ position: Float) -> Float {
            let cycles = (position / period).rounded(.down)
            return cycles * period / 2 + min(position - cycles * period, period / 2)
        }
        return (covered(position + pixel / 2) - covered(position - pixel / 2)) / pixel
    }
}

/// Smooth random values over the plane, from a table of random numbers.
struct ValueNoise {
    private static let side = 64
    private let table: [Float]

    init(_ random: inout RandomStream) {
        var table: [Float] = []
        for _ in 0..<Self.side * Self.side { table.append(Float(random.uniform()) - 0.5) }
        self.table = table
    }

    /// A value in [-0.5, 0.5] that changes over distances of about 1.
    func callAsFunction(_ x: Float, _ y: Float) -> Float {
        let (left, top) = (x.rounded(.down), y.rounded(.down))
        let (u, v) = (x - left, y - top)
        let (wx, wy) = (u * u * (3 - 2 * u), v * v * (3 - 2 * v))
        func value(_ column: Float, _ row: Float) -> Float {
            table[(Int(row) & (Self.side - 1)) * Self.side + (Int(column) & (Self.side - 1))]
        }
        let upper = value(left, top) + (value(left + 1, top) - value(left, top)) * wx
        let lower = value(left, top + 1) + (value(left + 1, top + 1) - value(left, top + 1)) * wx
        return upper + (lower - upper) * wy
    }
}

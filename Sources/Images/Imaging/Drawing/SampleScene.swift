import Glibc
import Tensors

/// A still life that the program paints itself, as a picture to try things on: soft light and shadow, curved and straight
/// edges, stripes down to a pixel's width, writing, wood and leaves.
///
/// The same seed and size always give the same picture; another seed moves and recolours things.
public struct SampleScene: Sendable {
    /// What the arrangement is drawn from.
    public let seed: UInt64

    /// The scene of this seed.
    public init(seed: UInt64 = 0) { self.seed = seed }

    /// Paints the scene: RGB, 8 bits. Height and width are positive; the scene fills any format.
    public func image(height: Int, width: Int) -> Image {
        precondition(height > 0 && width > 0, "a scene needs a positive size, not \(height) x \(width)")
        var painter = ScenePainter(height: height, width: width, seed: seed)
        painter.paintWall()
        painter.paintBanner()
        painter.paintPicture()
        painter.paintTable()
        painter.paintPlant()
        painter.paintPage()
        painter.paintBalls()
        painter.paintGrain()
        return painter.canvas.image
    }
}

/// Lays one thing after another over the canvas. One unit of length is the shorter side of the picture.
struct ScenePainter {
    var canvas: Canvas
    var random: RandomStream
    let noise: ValueNoise
    /// Pixels per unit.
    let unit: Float
    /// The picture's extent in units.
    let extent: SIMD2<Float>

    init(height: Int, width: Int, seed: UInt64) {
        canvas = Canvas(width: width, height: height, background: .zero)
        random = RandomStream(seed: seed, name: "sample-scene")
        noise = ValueNoise(&random)
        unit = Float(min(height, width))
        extent = SIMD2(Float(width), Float(height)) / unit
    }

    /// A random number of the arrangement.
    mutating func draw(_ low: Float, _ high: Float) -> Float { low + (high - low) * Float(random.uniform()) }

    /// Paints a shape within `reach` of `centre`: covered where `distance` is negative, with a border one pixel soft, or
    /// `softness` units where that is more.
    mutating func paint(
        around centre: SIMD2<Float>, reach: Float, softness: Float = 0, opacity: Float = 1,
        distance: (SIMD2<Float>) -> Float, colour: (SIMD2<Float>) -> Paint
    ) {
        let low = (centre - reach - softness) * unit - 1
        let high = (centre + reach + softness) * unit + 1
        let (left, right) = (max(Int(low.x), 0), min(Int(high.x), canvas.width - 1))
        let (top, bottom) = (max(Int(low.y), 0), min(Int(high.y), canvas.height - 1))
        guard left <= right, top <= bottom else { return }
        let width = max(1, softness * unit)
        for y in top...bottom {
            for x in left...right {
                let point = SIMD2(Float(x) + 0.5, Float(y) + 0.5) / unit
                let coverage = min(max(0.5 - distance(point) * unit / width, 0), 1)
                guard coverage > 0 else { continue }
                // A wide border fades smoothly, a narrow one is the share of the pixel.
                let share = softness > 0 ? coverage * coverage * (3 - 2 * coverage) : coverage
                canvas.blend(colour(point), x: x, y: y, coverage: share * opacity)
            }
        }
    }

    /// Paints everything.
    private mutating func paintAll(_ colour: (SIMD2<Float>) -> Paint) {
        paint(around: extent / 2, reach: max(extent.x, extent.y), distance: { _ in -1 }, colour: colour)
    }

    mutating func paintWall() {
        let hue = Paint(draw(0.62, 0.74), draw(0.64, 0.70), draw(0.60, 0.72))
        let light = SIMD2(0.25 * extent.x, -0.1 * extent.y)
        let noise = noise
        paintAll { point in
            let distance = SceneShapes.length((point - light) / SIMD2(1.1, 1.2))
            let plaster = 0.03 * noise(point.x * 9, point.y * 9) + 0.02 * noise(point.x * 47, point.y * 47)
            return hue * (0.45 + 0.65 * expf(-distance * distance * 0.8) + plaster)
        }
    }

    mutating func paintTable() {
        let edge = 0.72 * extent.y
        let wood = Paint(draw(0.48, 0.56), draw(0.32, 0.37), draw(0.18, 0.22))
        let (noise, extent) = (noise, extent)
        paint(
            around: extent / 2, reach: max(extent.x, extent.y),
            distance: { edge - $0.y },
            colour: { point in
                // Grain: rings drawn out along x, and fine pores.
                let depth = (point.y - edge) / 0.28
                let bend = noise(point.x * 1.5, point.y * 6 + 11)
                let rings = 0.5 + 0.5 * sinf((point.y * 60 + bend * 9) * (1.3 - 0.5 * depth))
                let pores = noise(point.x * 14, point.y * 160)
                let shine = 0.25 * expf(-powf((point.x - 0.3 * extent.x) * 2.2, 2))
                return wood * (0.72 + 0.22 * rings + 0.22 * pores + 0.25 * depth + shine)
            })
        // The front edge catches the light.
        paint(
            around: SIMD2(extent.x / 2, edge), reach: max(extent.x, extent.y), opacity: 0.55,
            distance: { abs($0.y - edge - 0.004) - 0.004 }, colour: { _ in Paint(0.95, 0.82, 0.62) })
    }

    /// Film grain, the least bit of it, so that no surface is mathematically flat.
    mutating func paintGrain() {
        for y in 0..<canvas.height {
            for x in 0..<canvas.width {
                let value = Float(random.uniform()) - 0.5
                canvas.blend(
                    value > 0 ? Paint(repeating: 1) : .zero, x: x, y: y, coverage: abs(value) * 0.025)
            }
        }
    }
}

import Glibc
import Tensors

// What stands and hangs in the sample scene.
extension ScenePainter {
    /// A cloth on the wall, its stripes getting finer to the right.
    mutating func paintBanner() {
        let centre = SIMD2(draw(0.25, 0.29) * extent.x, draw(0.25, 0.29) * extent.y)
        let half = SIMD2<Float>(0.19, 0.15)
        let angle = draw(-0.16, -0.08)
        let (light, dark) = (Paint(0.93, 0.90, 0.82), Paint(draw(0.10, 0.18), draw(0.16, 0.28), draw(0.36, 0.48)))
        let pixel = 1 / unit
        paint(
            around: centre + SIMD2(0.012, 0.02), reach: 0.25, softness: 0.04, opacity: 0.45,
            distance: { SceneShapes.box(SceneShapes.rotated($0 - centre, by: -angle), half: half) },
            colour: { _ in .zero })
        paint(
            around: centre, reach: 0.25,
            distance: { SceneShapes.box(SceneShapes.rotated($0 - centre, by: -angle), half: half, corner: 0.008) },
            colour: { point in
                let place = SceneShapes.rotated(point - centre, by: -angle)
                // Seven fields of stripes, each finer than the last by a quarter.
                let field = min(max(Int((place.x + half.x) / (2 * half.x) * 7), 0), 6)
                let period = 0.06 / powf(1.25, Float(field))
                let share = SceneShapes.bars(place.y + 0.3 * place.x, period: period, pixel: pixel)
                let fold = 0.9 + 0.14 * sinf(place.x * 26 + 1)
                return (light + (dark - light) * share) * fold
            })
    }

    /// A framed picture of rings and rays.
    mutating func paintPicture() {
        let centre = SIMD2(draw(0.70, 0.75) * extent.x, draw(0.27, 0.30) * extent.y)
        let half = SIMD2<Float>(0.17, 0.19)
        let rays = Float(Int(draw(9, 15)))
        let (warm, cold) = (Paint(0.92, draw(0.55, 0.75), 0.20), Paint(draw(0.10, 0.2), 0.30, draw(0.35, 0.5)))
        let pixel = 1 / unit
        paint(
            around: centre + SIMD2(0.015, 0.025), reach: 0.27, softness: 0.05, opacity: 0.5,
            distance: { SceneShapes.box($0 - centre - SIMD2(0.015, 0.025), half: half) }, colour: { _ in .zero })
        let layers: [(inset: Float, paint: Paint)] = [
            (0, Paint(0.20, 0.12, 0.08)), (0.008, Paint(0.48, 0.33, 0.18)), (0.022, Paint(0.16, 0.10, 0.07)),
            (0.026, Paint(0.95, 0.94, 0.90)),
        ]
        for layer in layers {
            paint(
                around: centre, reach: 0.27, distance: { SceneShapes.box($0 - centre, half: half - layer.inset) },
                colour: { point in layer.paint * (1.05 - 0.5 * (point.x - centre.x + point.y - centre.y)) })
        }
        paint(
            around: centre, reach: 0.27, distance: { SceneShapes.box($0 - centre, half: half - 0.052) },
            colour: { point in
                let place = point - centre - SIMD2(0.02, 0.03)
                let radius = SceneShapes.length(place)
                let turn = atan2f(place.y, place.x) / (2 * .pi)
                // A ray's width in turns grows with the pixel's angle as seen from the middle.
                let ray = SceneShapes.bars(turn, period: 1 / rays, pixel: pixel / max(2 * .pi * radius, pixel))
                let ring = SceneShapes.bars(radius, period: 0.045, pixel: pixel)
                let share = ray + ring - 2 * ray * ring
                return (warm + (cold - warm) * share) * (1.05 - 1.2 * radius)
            })
    }

    /// Leaves on stalks, in a pot.
    mutating func paintPlant() {
        let foot = SIMD2(draw(0.50, 0.54) * extent.x, 0.70 * extent.y)
        let pot = Paint(draw(0.62, 0.72), draw(0.28, 0.36), draw(0.2, 0.26))
        for index in 0..<11 {
            let angle = -Float.pi / 2 + (Float(index) - 5) * 0.24 + draw(-0.08, 0.08)
            let size = draw(0.07, 0.105)
            let tip = foot + SIMD2(cosf(angle), sinf(angle)) * draw(0.16, 0.24)
            let green = Paint(draw(0.14, 0.34), draw(0.40, 0.60), draw(0.12, 0.24))
            paint(
                around: foot, reach: 0.3, distance: { SceneShapes.stroke($0, from: foot, to: tip, radius: 0.0035) },
                colour: { _ in Paint(0.25, 0.36, 0.14) })
            let tilt = angle + draw(-0.3, 0.3)
            paint(
                around: tip, reach: size,
                distance: {
                    SceneShapes.leaf(SceneShapes.rotated($0 - tip, by: -tilt), half: size, width: 0.62 * size)
                },
                colour: { point in
                    let place = SceneShapes.rotated(point - tip, by: -tilt)
                    let halfLit: Float = place.y < 0 ? 1.12 : 0.82
                    let vein = abs(sinf((place.x - abs(place.y)) * 110)) < 0.25 || abs(place.y) < 0.0025
                    return green * (halfLit + (vein ? 0.3 : 0) + 1.5 * place.x)
                })
        }
        let centre = foot + SIMD2(0, 0.06)
        paint(
            around: centre + SIMD2(0.06, 0.075), reach: 0.14, softness: 0.06, opacity: 0.55,
            distance: { SceneShapes.length(($0 - centre - SIMD2(0.05, 0.075)) / SIMD2(1, 0.3)) - 0.09 },
            colour: { _ in Paint(0.08, 0.05, 0.03) })
        for (offset, half) in [(SIMD2<Float>(0, 0.012), SIMD2<Float>(0.075, 0.07)), ([0, -0.055], [0.088, 0.018])] {
            paint(
                around: centre + offset, reach: 0.12,
                distance: { point in
                    let place = point - centre - offset
                    // Narrower towards the bottom.
                    return SceneShapes.box(SIMD2(place.x * (1 + 1.6 * max(place.y, -0.02)), place.y), half: half)
                },
                colour: { point in
                    let across = (point.x - centre.x) / 0.09
                    return pot * (0.45 + 0.75 * sqrtf(max(1 - (across + 0.35) * (across + 0.35) * 0.6, 0)))
                })
        }
    }

    /// A sheet with lines of writing, lying on the table.
    mutating func paintPage() {
        let centre = SIMD2(draw(0.20, 0.23) * extent.x, draw(0.80, 0.82) * extent.y)
        let half = SIMD2<Float>(0.165, 0.14)
        let angle = draw(-0.2, -0.1)
        func local(_ point: SIMD2<Float>) -> SIMD2<Float> { SceneShapes.rotated(point - centre, by: -angle) }
        paint(
            around: centre + SIMD2(0.01, 0.014), reach: 0.24, softness: 0.02, opacity: 0.5,
            distance: { SceneShapes.box(local($0 - SIMD2(0.01, 0.014)), half: half) }, colour: { _ in .zero })
        paint(
            around: centre, reach: 0.24, distance: { SceneShapes.box(local($0), half: half) },
            colour: { point in Paint(0.96, 0.94, 0.87) * (0.98 - 0.35 * (local(point).x + local(point).y)) })
        let ink = Paint(0.09, 0.09, 0.14)
        // Letter heights shrink from a heading to fine print.
        var top = -half.y + 0.022
        for size in [0.046, 0.030, 0.024, 0.019, 0.015, 0.012] as [Float] {
            var left = -half.x + 0.02
            let end = half.x - 0.02 - draw(0, 0.06)
            while left + size * 0.6 < end {
                if draw(0, 1) < 0.82 {
                    writeLetter(at: SIMD2(left, top), size: size, centre: centre, angle: angle, ink)
                }
                left += size * 0.78
            }
            top += size * 1.42
        }
    }

    /// Two to four strokes between the points of a 3 x 3 grid, as letters have.
    private mutating func writeLetter(
        at corner: SIMD2<Float>, size: Float, centre: SIMD2<Float>, angle: Float, _ ink: Paint
    ) {
        func place(_ index: Int) -> SIMD2<Float> {
            let grid = SIMD2(Float(index % 3) * 0.28, Float(index / 3) * 0.5)
            return centre + SceneShapes.rotated(corner + grid * size, by: angle)
        }
        var point = random.index(below: 9)
        for _ in 0..<2 + random.index(below: 3) {
            let next = (point + 1 + random.index(below: 8)) % 9
            let (start, end) = (place(point), place(next))
            paint(
                around: (start + end) / 2, reach: size,
                distance: { SceneShapes.stroke($0, from: start, to: end, radius: 0.065 * size) },
                colour: { _ in ink })
            point = next
        }
    }

    /// Three balls in the light from the upper left.
    mutating func paintBalls() {
        let balls: [(place: SIMD2<Float>, radius: Float, paint: Paint, isStriped: Bool)] = [
            ([0.86, 0.73], 0.095, Paint(draw(0.15, 0.3), draw(0.35, 0.5), draw(0.6, 0.75)), false),
            ([0.68, 0.80], 0.105, Paint(draw(0.78, 0.9), draw(0.12, 0.2), draw(0.1, 0.18)), true),
            ([0.46, 0.90], 0.06, Paint(draw(0.88, 0.95), draw(0.62, 0.74), draw(0.1, 0.2)), false),
        ]
        let light = SIMD3<Float>(-0.52, -0.62, 0.59)
        for ball in balls {
            let centre = ball.place * extent
            let shadow = centre + SIMD2(0.55, 0.82) * ball.radius
            paint(
                around: shadow, reach: 1.3 * ball.radius, softness: 0.7 * ball.radius, opacity: 0.6,
                distance: { SceneShapes.length(($0 - shadow) / SIMD2(1, 0.36)) - ball.radius },
                colour: { _ in Paint(0.07, 0.04, 0.03) })
            let (turn, pixel) = (draw(-0.6, 0.6), 1 / unit)
            paint(
                around: centre, reach: ball.radius,
                distance: { SceneShapes.circle($0, centre: centre, radius: ball.radius) },
                colour: { point in
                    let flat = (point - centre) / ball.radius
                    let normal = SIMD3(flat.x, flat.y, sqrtf(max(1 - (flat * flat).sum(), 0)))
                    let lit = (normal * light).sum()
                    var skin = ball.paint
                    if ball.isStriped {
                        // Six segments that meet at a pole tilted towards the viewer.
                        let tilted = SceneShapes.rotated(flat, by: turn)
                        let longitude = atan2f(tilted.x, 0.35 + normal.z * 0.8 - tilted.y * 0.55) / .pi
                        let share = SceneShapes.bars(longitude, period: 0.4, pixel: pixel / ball.radius / 2)
                        skin += (Paint(0.95, 0.94, 0.9) - skin) * share
                    }
                    let gloss = powf(max(2 * lit * normal.z - light.z, 0), 40)
                    let bounce = max(normal.y, 0) * 0.12
                    return skin * (0.22 + 0.85 * max(lit, 0)) + Paint(0.5, 0.33, 0.2) * bounce + gloss * 0.75
                })
        }
    }
}

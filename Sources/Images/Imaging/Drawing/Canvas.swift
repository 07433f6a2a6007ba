import Tensors

/// A colour to draw with: red, green, blue in [0, 1].
typealias Paint = SIMD3<Float>

/// A picture under construction: paints are laid over what is there, by their coverage of every pixel.
struct Canvas {
    let width: Int
    let height: Int
    private var pixels: [Paint]

    init(width: Int, height: Int, background: Paint) {
        self.width = width
        self.height = height
        pixels = Array(repeating: background, count: width * height)
    }

    /// Covers the given share, in [0, 1], of one pixel; nothing happens outside the canvas.
    mutating func blend(_ paint: Paint, x: Int, y: Int, coverage: Float) {
        guard x >= 0, y >= 0, x < width, y < height, coverage > 0 else { return }
        let old = pixels[y * width + x]
        pixels[y * width + x] = old + (paint - old) * min(coverage, 1)
    }

    /// Fills a rectangle of whole pixels.
    mutating func fill(x: Int, y: Int, width: Int, height: Int, _ paint: Paint) {
        for row in max(y, 0)..<max(min(y + height, self.height), max(y, 0)) {
            for column in max(x, 0)..<max(min(x + width, self.width), max(x, 0)) {
                pixels[row * self.width + column] = paint
            }
        }
    }

    /// Draws the border of a rectangle, one pixel wide, just inside it.
    mutating func outline(x: Int, y: Int, width: Int, height: Int, _ paint: Paint) {
        fill(x: x, y: y, width: width, height: 1, paint)
        fill(x: x, y: y + height - 1, width: width, height: 1, paint)
        fill(x: x, y: y, width: 1, height: height, paint)
        fill(x: x + width - 1, y: y, width: 1, height: height, paint)
    }

    /// Draws an image with its upper left corner at (x, y), a transparent one over a chequered ground.
    mutating func draw(_ image: Image, x: Int, y: Int) {
        let plane = image.width * image.height
        let step = image.channels == 3 ? plane : 0
        for row in 0..<image.height {
            for column in 0..<image.width {
                let offset = row * image.width + column
                let paint = Paint(
                    image.colour[offset], image.colour[offset + step], image.colour[offset + 2 * step])
                let ground = (row / 8 + column / 8) % 2 == 0 ? Paint(repeating: 0.85) : Paint(repeating: 0.95)
                blend(ground, x: x + column, y: y + row, coverage: 1)
                blend(paint, x: x + column, y: y + row, coverage: image.alpha?[offset] ?? 1)
            }
        }
    }

    /// Draws a straight line with round ends; coordinates are in pixels, with pixel centres at halves.
    mutating func line(from start: SIMD2<Float>, to end: SIMD2<Float>, thickness: Float, _ paint: Paint) {
        let reach = thickness / 2 + 1
        let low = pointwiseMin(start, end) - reach
        let high = pointwiseMax(start, end) + reach
        let along = end - start
        let squared = max((along * along).sum(), 1e-12)
        for y in max(Int(low.y), 0)...max(Int(low.y), 0, min(Int(high.y), height - 1)) {
            for x in max(Int(low.x), 0)...max(Int(low.x), 0, min(Int(high.x), width - 1)) {
                let offset = SIMD2(Float(x) + 0.5, Float(y) + 0.5) - start
                let share = min(max((offset * along).sum() / squared, 0), 1)
                let nearest = offset - share * along
                let distance = (nearest * nearest).sum().squareRoot()
                blend(paint, x: x, y: y, coverage: thickness / 2 + 0.5 - distance)
            }
        }
    }

    /// Writes text with the upper left corner of its first capital at (x, y), every dot of the font `scale` pixels wide.
    mutating func write(_ text: String, x: Int, y: Int, scale: Int = 2, _ paint: Paint) {
        for (index, letter) in text.enumerated() {
            for (row, bits) in BitmapFont.rows(of: letter).enumerated() {
                for column in 0..<5 where bits >> UInt8(4 - column) & 1 == 1 {
                    fill(
                        x: x + (index * BitmapFont.advance + column) * scale, y: y + row * scale, width: scale,
                        height: scale, paint)
                }
            }
        }
    }

    /// The width in pixels of a written text.
    static func textWidth(_ text: String, scale: Int = 2) -> Int {
        max(text.count * BitmapFont.advance - 1, 0) * scale
    }

    /// The picture as it stands, 8 bits deep.
    var image: Image {
        var colour = Tensor<Float>(shape: [3, height, width])
        let count = pixels.count
        colour.withUnsafeMutableBufferPointer { colour in
            for (index, pixel) in pixels.enumerated() {
                for channel in 0..<3 { colour[channel * count + index] = min(max(pixel[channel], 0), 1) }
            }
        }
        return Image(colour: colour)
    }
}

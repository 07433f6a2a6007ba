import Foundation

/// Draws curves over the steps of a run, on a logarithmic axis.
struct LossPlot {
    let curves: [Figure.Curve]
    /// The whole plot, labels included, in pixels of the canvas.
    let left: Int
    let top: Int
    let width: Int
    let height: Int

    private static let paints: [Paint] = [
        Paint(0.12, 0.40, 0.70), Paint(0.85, 0.37, 0.10), Paint(0.18, 0.55, 0.25), Paint(0.55, 0.30, 0.65),
    ]
    private static let ink = Paint(repeating: 0.2)
    private static let grid = Paint(repeating: 0.88)

    // Room for the labels of both axes.
    private var plotLeft: Int { left + 84 }
    private var plotWidth: Int { width - 84 }
    private var plotHeight: Int { height - 28 }

    func draw(on canvas: inout Canvas) {
        canvas.fill(x: plotLeft, y: top, width: plotWidth, height: plotHeight, Paint(repeating: 0.985))
        let values = curves.flatMap(\.values).filter { $0 > 0 && $0.isFinite }
        let steps = curves.map(\.values.count).max() ?? 0
        guard let least = values.min(), let greatest = values.max(), steps > 0 else {
            let text = "no losses recorded"
            canvas.write(
                text, x: plotLeft + (plotWidth - Canvas.textWidth(text)) / 2, y: top + plotHeight / 2, Self.ink)
            canvas.outline(x: plotLeft, y: top, width: plotWidth, height: plotHeight, Self.ink)
            return
        }
        // A constant curve still needs a range around it.
        let margin = max(0.06 * (log10(greatest) - log10(least)), 0.05)
        let range = log10(least) - margin...log10(greatest) + margin
        drawLossTicks(range, on: &canvas)
        drawStepTicks(steps, on: &canvas)
        for (index, curve) in curves.enumerated() {
            draw(curve.values, paint: Self.paints[index % Self.paints.count], steps: steps, range: range, on: &canvas)
        }
        canvas.outline(x: plotLeft, y: top, width: plotWidth, height: plotHeight, Self.ink)
        drawLegend(on: &canvas)
    }

    private func y(_ exponent: Double, _ range: ClosedRange<Double>) -> Float {
        Float(top) + Float(plotHeight) * Float((range.upperBound - exponent) / (range.upperBound - range.lowerBound))
    }

    /// The middle of the place of step `index`, counted from 0.
    private func x(_ index: Double, _ steps: Int) -> Float {
        Float(plotLeft) + Float(plotWidth) * Float((index + 0.5) / Double(steps))
    }

    private func drawLossTicks(_ range: ClosedRange<Double>, on canvas: inout Canvas) {
        let exponents = Int(range.lowerBound.rounded(.down))...Int(range.upperBound.rounded(.up))
        // Few decades leave room for more lines between them, many for every other one only.
        let decades = range.upperBound - range.lowerBound
        let mantissas = decades < 0.7 ? Array(1...9) : decades < 2.2 ? [1, 2, 5] : [1]
        let stride = max((exponents.count + 7) / 8, 1)
        for exponent in exponents where exponent % stride == 0 {
            for mantissa in mantissas {
                let place = Double(exponent) + log10(Double(mantissa))
                guard range.contains(place) else { continue }
                let row = Int(y(place, range))
                canvas.fill(x: plotLeft, y: row, width: plotWidth, height: 1, Self.grid)
                let label = "\(mantissa)e\(exponent)"
                let labelTop = min(max(row - BitmapFont.ascent, top), top + plotHeight - 2 * BitmapFont.ascent)
                canvas.write(label, x: plotLeft - 8 - Canvas.textWidth(label), y: labelTop, Self.ink)
            }
        }
    }

    private func drawStepTicks(_ steps: Int, on canvas: inout Canvas) {
        let rough = Double(steps) / 6
        let magnitude = pow(10, log10(max(rough, 1)).rounded(.down))
        let spacing = Int(([1, 2, 5, 10].first { $0 * magnitude >= rough } ?? 10) * magnitude)
        for step in stride(from: spacing, through: steps, by: spacing) {
            let column = Int(x(Double(step - 1), steps))
            canvas.fill(x: column, y: top, width: 1, height: plotHeight, Self.grid)
            let textWidth = Canvas.textWidth("\(step)")
            let labelLeft = min(column - textWidth / 2, left + width - textWidth)
            canvas.write("\(step)", x: labelLeft, y: top + plotHeight + 8, Self.ink)
        }
        canvas.write("step", x: plotLeft - 8 - Canvas.textWidth("step"), y: top + plotHeight + 8, Self.ink)
    }

    private func draw(
        _ values: [Double], paint: Paint, steps: Int, range: ClosedRange<Double>, on canvas: inout Canvas
    ) {
        // More steps than pixel columns are averaged, geometrically, per column.
        let bucket = max(steps / max(plotWidth, 1), 1)
        var previous: SIMD2<Float>?
        for start in stride(from: 0, to: values.count, by: bucket) {
            let exponents = values[start..<min(start + bucket, values.count)]
                .filter { $0 > 0 && $0.isFinite }.map { log10($0) }
            guard !exponents.isEmpty else {
                previous = nil
                continue
            }
            let mean = exponents.reduce(0, +) / Double(exponents.count)
            let point = SIMD2(x(Double(start) + Double(bucket - 1) / 2, steps), y(mean, range))
            canvas.line(from: previous ?? point, to: point, thickness: 1.6, paint)
            previous = point
        }
    }

    private func drawLegend(on canvas: inout Canvas) {
        let names = curves.map(\.name)
        let textWidth = names.map { Canvas.textWidth($0) }.max() ?? 0
        let (boxWidth, boxHeight) = (textWidth + 54, names.count * 22 + 8)
        let (boxLeft, boxTop) = (plotLeft + plotWidth - boxWidth - 10, top + 10)
        canvas.fill(x: boxLeft, y: boxTop, width: boxWidth, height: boxHeight, Paint(repeating: 1))
        canvas.outline(x: boxLeft, y: boxTop, width: boxWidth, height: boxHeight, Self.grid)
        for (index, name) in names.enumerated() {
            let row = boxTop + 8 + index * 22
            let paint = Self.paints[index % Self.paints.count]
            canvas.fill(x: boxLeft + 10, y: row + 5, width: 24, height: 3, paint)
            canvas.write(name, x: boxLeft + 44, y: row, Self.ink)
        }
    }
}

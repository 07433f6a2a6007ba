public import Tensors

/// One picture that tells a run's story: input, bicubic enlargement, restored image, kernel, and the losses below.
public struct Figure: Sendable {
    /// A quantity recorded at every step.
    public struct Curve: Sendable {
        /// What the legend calls it, in ASCII.
        public let name: String
        /// One value per step; those that are not positive and finite leave a gap.
        public let values: [Double]

        /// A curve of this name.
        public init(name: String, values: [Double]) {
            self.name = name
            self.values = values
        }
    }

    /// The image that was given.
    public var input: Image
    /// The image that was made of it, usually larger.
    public var restored: Image
    /// The kernel `[n, n]` that was found.
    public var kernel: Tensor<Float>
    /// What to plot below the pictures, drawn in this order.
    public var curves: [Curve]
    /// The measures of the bicubic enlargement, to stand below it, where there is a reference.
    public var bicubicEvaluation: Evaluation?
    /// The measures of the restored image, to stand below it, where there is a reference.
    public var restoredEvaluation: Evaluation?
    /// Kernel PSNR in decibels, to stand below the kernel, where there is a reference kernel.
    public var kernelPSNR: Double?

    /// A figure of one run, without measures.
    public init(input: Image, restored: Image, kernel: Tensor<Float>, curves: [Curve]) {
        self.input = input
        self.restored = restored
        self.kernel = kernel
        self.curves = curves
    }

    /// Draws the figure, 8 bits RGB. Its size follows the restored image, shown at most 384 pixels a side.
    public func render() -> Image {
        let size = displaySize
        let margin = 20
        let rowHeight = max(size.height, kernelSide(size))
        let (captionHeight, titleHeight, plotHeight) = (hasCaptions ? 24 : 0, 26, 240)
        let panels = panels(size)
        let width = panels.reduce(margin) { $0 + max($1.image.width, Self.minimumPanelWidth) + margin }
        let panelBottom = margin + titleHeight + rowHeight + captionHeight
        let plotTop = panelBottom + margin + titleHeight
        var canvas = Canvas(width: width, height: plotTop + plotHeight + margin, background: Paint(repeating: 1))
        let (ink, faint) = (Paint(repeating: 0.15), Paint(repeating: 0.4))
        var x = margin
        for panel in panels {
            let panelWidth = max(panel.image.width, Self.minimumPanelWidth)
            canvas.write(panel.title, x: x, y: margin, ink)
            let imageLeft = x + (panelWidth - panel.image.width) / 2
            let imageTop = margin + titleHeight + (rowHeight - panel.image.height) / 2
            canvas.draw(panel.image, x: imageLeft, y: imageTop)
            canvas.write(panel.caption, x: x, y: margin + titleHeight + rowHeight + 10, faint)
            x += panelWidth + margin
        }
        canvas.write("Loss", x: margin, y: panelBottom + margin, ink)
        LossPlot(curves: curves, left: margin, top: plotTop, width: width - 2 * margin, height: plotHeight)
            .draw(on: &canvas)
        return canvas.image
    }

    /// Wide enough for the longest title.
    private static let minimumPanelWidth = 200

    private struct Panel {
        let title: String
        let image: Image
        var caption = ""
    }

    private var hasCaptions: Bool { bicubicEvaluation != nil || restoredEvaluation != nil || kernelPSNR != nil }

    private func panels(_ size: (height: Int, width: Int)) -> [Panel] {
        // A multiple of the kernel's size, so that every element is as large as the others.
        let elements = max(kernel.shape[0], kernel.shape[1])
        let side = max(kernelSide(size) / elements, 1) * elements
        return [
            Panel(title: "Input \(input.width)×\(input.height)", image: Self.shown(input, size)),
            Panel(
                title: "Bicubic",
                image: Self.shown(
                    input.resampledBicubic(height: restored.height, width: restored.width), size),
                caption: Self.caption(bicubicEvaluation)),
            Panel(
                title: "Restored \(restored.width)×\(restored.height)", image: Self.shown(restored, size),
                caption: Self.caption(restoredEvaluation)),
            Panel(
                title: "Kernel \(kernel.shape[1])×\(kernel.shape[0])",
                image: kernelImage(kernel, side: side),
                caption: kernelPSNR.map { "\(Self.decimal($0, digits: 1)) dB" } ?? ""),
        ]
    }

    private func kernelSide(_ size: (height: Int, width: Int)) -> Int { max(min(size.height, size.width), 160) }

    /// The size in which the pictures are shown: at most 384 pixels a side, small images enlarged to about 200.
    private var displaySize: (height: Int, width: Int) {
        let side = max(restored.height, restored.width)
        if side > 384 {
            return (max(restored.height * 384 / side, 1), max(restored.width * 384 / side, 1))
        }
        let factor = max(200 / side, 1)
        return (restored.height * factor, restored.width * factor)
    }

    /// Enlarged by repeating pixels, reduced by averaging.
    private static func shown(_ image: Image, _ size: (height: Int, width: Int)) -> Image {
        func planes(_ planes: Tensor<Float>) -> Tensor<Float> {
            size.height < image.height
                ? planes.resampledArea(height: size.height, width: size.width)
                : planes.resampledNearest(height: size.height, width: size.width)
        }
        return Image(colour: planes(image.colour), alpha: image.alpha.map(planes))
    }

    private static func caption(_ evaluation: Evaluation?) -> String {
        guard let evaluation else { return "" }
        return "\(decimal(evaluation.psnr, digits: 2)) dB  \(decimal(evaluation.ssim, digits: 4))"
    }

    /// A number with a fixed count of decimals, without the help of a locale.
    private static func decimal(_ value: Double, digits: Int) -> String {
        guard value.isFinite, abs(value) < 1e9 else { return value > 0 ? "inf" : "\(value)" }
        let scale = (0..<digits).reduce(1) { power, _ in power * 10 }
        let scaled = Int((abs(value) * Double(scale)).rounded())
        let fraction = String(scaled % scale)
        let zeros = String(repeating: "0", count: digits - fraction.count)
        return (value < 0 ? "-" : "") + "\(scaled / scale).\(zeros)\(fraction)"
    }
}

/// A picture of a kernel `[height, width]`: gray, black for 0 and below, white for the greatest value, every element a
/// square of as many whole pixels as make the longer side about `side` pixels.
public func kernelImage(_ kernel: Tensor<Float>, side: Int = 256) -> Image {
    precondition(kernel.shape.count == 2 && kernel.count > 0, "a kernel has shape [height, width], not \(kernel.shape)")
    let (height, width) = (kernel.shape[0], kernel.shape[1])
    let greatest = kernel.elements.max() ?? 0
    let normalised = kernel.map { greatest > 0 && $0 > 0 ? $0 / greatest : 0 }
    let factor = max(Int((Double(side) / Double(max(height, width))).rounded()), 1)
    let enlarged = normalised.resampledNearest(height: height * factor, width: width * factor)
    return Image(colour: enlarged.reshaped([1, height * factor, width * factor]))
}

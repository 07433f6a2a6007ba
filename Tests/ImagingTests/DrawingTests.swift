import Imaging
import Tensors
import Testing

@Suite struct DrawingTests {
    @Test(arguments: [(11, 253), (19, 247), (21, 252), (300, 300)])
    func `a kernel becomes squares with its greatest element white`(size: Int, side: Int) {
        var kernel = Tensor<Float>(shape: [size, size])
        kernel[0] = 0.25
        kernel[1] = 0.125
        kernel[2] = -0.1
        let image = kernelImage(kernel)
        #expect(image.colour.shape == [1, side, side])
        let square = side / size
        #expect((0..<3).map { image.colour[$0 * square + square / 2] } == [1, 0.5, 0])
    }

    @Test func `a kernel of zeros is black`() {
        #expect(kernelImage(Tensor<Float>(shape: [5, 5])).colour.elements.allSatisfy { $0 == 0 })
    }

    /// A figure of a gray input with alpha, and losses with gaps.
    private func figure(height: Int, width: Int, curves: [Figure.Curve]) -> Figure {
        let input = Image(
            colour: QualityTests.noise([1, height, width], seed: 1),
            alpha: QualityTests.noise([height, width], seed: 2))
        return Figure(
            input: input, restored: input.resampledBicubic(height: 2 * height, width: 2 * width),
            kernel: QualityTests.noise([11, 11], seed: 3), curves: curves)
    }

    @Test(arguments: [(1, 1), (1, 300), (20, 31), (210, 100)])
    func `a figure of any format has the three pictures side by side`(height: Int, width: Int) {
        let curve = Figure.Curve(name: "image", values: [0.5, 0.25, .nan, 0, 0.125, .infinity, 1e-3])
        let image = figure(height: height, width: width, curves: [curve]).render()
        #expect(image.channels == 3)
        #expect(image.width >= 3 * 200)
        #expect(image.width < 2000 && image.height < 1000)
    }

    @Test func `a run without losses still has a figure`() {
        for curves in [[], [Figure.Curve(name: "image", values: [])], [Figure.Curve(name: "image", values: [.nan])]] {
            #expect(figure(height: 20, width: 20, curves: curves).render().height > 240)
        }
        // One step, a constant curve, and more steps than there are columns.
        for values in [[1.0], [1, 1, 1], (1...5000).map { 1 / Double($0) }] {
            #expect(figure(height: 20, width: 20, curves: [.init(name: "image", values: values)]).render().width > 0)
        }
    }

    @Test func `measures add a line of captions`() {
        var figure = figure(height: 20, width: 20, curves: [])
        let plain = figure.render()
        figure.bicubicEvaluation = Evaluation(psnr: 20.5, ssim: 0.5)
        figure.restoredEvaluation = Evaluation(psnr: .infinity, ssim: 1)
        figure.kernelPSNR = -.infinity
        #expect(figure.render().height > plain.height)
    }

    @Test func `the sample scene is the same every time and another for another seed`() {
        let scene = SampleScene(seed: 3).image(height: 48, width: 64)
        #expect(scene.colour.shape == [3, 48, 64])
        #expect(SampleScene(seed: 3).image(height: 48, width: 64) == scene)
        #expect(SampleScene(seed: 4).image(height: 48, width: 64) != scene)
        #expect(scene.colour.elements.allSatisfy { (0...1).contains($0) })
    }

    @Test func `the sample scene has light, shadow and detail`() {
        let scene = luma(of: SampleScene().image(height: 96, width: 96).colour).elements
        #expect((scene.min() ?? 255) < 50)
        #expect((scene.max() ?? 0) > 200)
        let steps = zip(scene, scene.dropFirst()).map { abs($0 - $1) }
        #expect(steps.filter { $0 > 20 }.count > 500)
    }

    @Test(arguments: [(1, 1), (3, 200), (200, 3)])
    func `the sample scene fills any format`(height: Int, width: Int) {
        #expect(SampleScene().image(height: height, width: width).colour.shape == [3, height, width])
    }
}

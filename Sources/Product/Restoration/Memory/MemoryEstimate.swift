import DeepImagePrior
import Diffusion
public import Jobs
import NeuralNetwork

/// How much memory restorations of some kind take at their peak, by the size of the image: known before any begins.
///
/// The networks' part is planned and not allocated. What images, optimiser state on its way into a checkpoint and the
/// program itself take beside it is measured, see `MemoryEstimateTests`.
public struct MemoryEstimate {
    private let settings: RestorationSettings
    private let channels: Int

    /// A network of these many output pixels is planned as it is; what a larger one takes grows as its pixels do.
    private static let largestPlan = 1 << 20

    /// What the program takes before it has an image: code, libraries, thread pools.
    private static let programBytes = 152 << 20
    /// Copies of a parameter and of its two moments when a checkpoint is written, those of the file's bytes included.
    private static let checkpointCopies = 4

    /// The memory of restorations with these settings, of images of so many colour channels.
    public init(_ settings: RestorationSettings, channels: Int) {
        self.settings = settings
        self.channels = channels
    }

    /// The bytes at the peak for an input of these rows and columns.
    /// - Throws: what opening the weights throws; `NeuralNetworkError` where no network can be planned.
    public func bytes(height: Int, width: Int) throws -> Int {
        let margin = settings.boundary == .free ? Margin.width(scale: settings.scale) : 0
        let (height, width) = ((height + 2 * margin) * settings.scale, (width + 2 * margin) * settings.scale)
        switch settings.method {
        case .dipDKP: return try Self.programBytes + dipBytes(DIPSettings(settings), height, width)
        case .diffDKP:
            let ending = DiffusionSettings(settings).ending == nil ? 0 : try denoisingBytes(height, width)
            return try Self.programBytes + max(diffusionBytes(height, width), ending)
        case .pnpDKP:
            // The untrained network is gone before the trained one comes.
            let search = PnPSettings(settings).search
            return try Self.programBytes + max(dipBytes(search, height, width), denoisingBytes(height, width))
        }
    }

    /// The untrained network and what is beside it, for an output of these rows and columns.
    private func dipBytes(_ dip: DIPSettings, _ height: Int, _ width: Int) throws -> Int {
        let pixels = height * width
        // Planes of floats: noise, outputs and gradients, the average and the best, their copies in a checkpoint and in its
        // file, the pictures of the result.
        let planes = pixels * 4 * (6 + 32 * channels)
        return try networkBytes(dip, height, width) + planes
    }

    private func networkBytes(_ dip: DIPSettings, _ height: Int, _ width: Int) throws -> Int {
        var description = SkipNetwork()
        description.imageChannels = channels
        description.channels = dip.channels
        let shrinkage = max(1, (Double(height) * Double(width) / Double(Self.largestPlan)).squareRoot())
        // At least as many rows and columns as there are, so that rounding makes the estimate no smaller.
        let planned = (Int((Double(height) / shrinkage).rounded(.up)), Int((Double(width) / shrinkage).rounded(.up)))
        let (graph, output) = try description.graph(height: planned.0, width: planned.1)
        let bytes = try Network.plannedByteCount(
            graph, output: output, precision: settings.precision.resolved, training: true)
        let parameters = graph.parameters.reduce(0) { $0 + $1.count } * 4
        let ratio = max(1, Double(height) * Double(width) / (Double(planned.0) * Double(planned.1)))
        return Int(Double(bytes) * ratio) + parameters * 3 * Self.checkpointCopies / 2
    }

    /// The trained network, which sees tiles of one size, and the planes of floats beside it.
    private func diffusionBytes(_ height: Int, _ width: Int) throws -> Int {
        let configuration = try configuration()
        let network = try UNet.plannedByteCount(configuration, precision: settings.precision.resolved)
        // An image smaller than the model's stands on a canvas of that size.
        let (rows, columns) = (max(height, configuration.imageSize), max(width, configuration.imageSize))
        return network + rows * columns * 4 * 40 * max(channels, 3)
    }

    /// The trained network as a denoiser, whose tiles grow with the image up to their largest size.
    private func denoisingBytes(_ height: Int, _ width: Int) throws -> Int {
        let configuration = try configuration()
        let network = try UNet.plannedByteCount(configuration, precision: settings.precision.resolved)
        let largest = DiffusionModel.largestTile(of: configuration)
        func tile(_ length: Int) -> Double { Double(min(length + 32, largest)) }
        let pixels = Double(configuration.imageSize * configuration.imageSize)
        let ratio = max(1, tile(height) * tile(width) / pixels)
        return Int(Double(network) * ratio) + height * width * 4 * 40 * max(channels, 3)
    }

    private func configuration() throws -> UNetConfiguration {
        guard let location = settings.weightsLocation?.installed else {
            throw RestorationError(
                .badSettings, "method \(settings.method.rawValue) needs weights", remedy: "set weights")
        }
        _ = try location.verify()
        return try WeightsFile(location.path, group: location.group).configuration
    }
}

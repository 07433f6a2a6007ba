import Diffusion
public import Jobs

extension DiffusionModel {
    /// Opens a weights file: the one place where the product meets the networks.
    /// - Parameters:
    ///   - location: the file, or the name of weights that come with the program.
    ///   - precision: that of the network.
    /// - Throws: ``RestorationError`` with code `weightsNotFound` if the file is not there, `badInput` if the model is none for
    ///   this program; `WeightsError` for what is wrong with the file.
    public init(_ location: WeightsLocation, precision: RestorationSettings.Precision) throws {
        let location = location.installed
        let digest = try location.verify()
        let weights = try WeightsFile(location.path, group: location.group)
        let configuration = weights.configuration
        let training = weights.training ?? DiffusionDescription(learnSigma: configuration.predictsVariance)
        guard training.pixelRange == [-1, 1] else {
            throw RestorationError(
                .badInput, "\(location): trained with pixels in \(training.pixelRange)",
                remedy: "only networks for pixels from -1 to 1 can be used")
        }
        guard training.learnSigma == configuration.predictsVariance else {
            throw RestorationError(
                .badInput,
                "\(location): learn_sigma is \(training.learnSigma), but the network answers with "
                    + "\(configuration.outputChannels) channels for \(configuration.channels)",
                remedy: "convert the weights again with the right configuration")
        }
        self.init(
            predictor: try UNet(weights, precision: precision.resolved), description: training,
            imageSize: configuration.imageSize, name: location.description, sha256: digest)
        sizeMultiple = configuration.reduction
        largestTile = Self.largestTile(of: configuration)
    }
}

import Diffusion

/// Opens a weights file and loads its network. The one place where the product meets the networks.
///
/// Where the file does not tell how the network was trained, that is taken from the network: 1,000 steps with linear
/// betas, and a learned variance if its prediction carries one.
/// - Throws: ``RestorationError`` with code `unavailable` if the file is not there; `WeightsError` and what planning the
///   network throws.
public func openDiffusionModel(
    _ location: WeightsLocation, precision: RestorationSettings.Precision
) throws -> DiffusionModel {
    try location.requireFile()
    let file = try WeightsFile(location.description)
    let network = try UNet(file, precision: precision.resolved)
    return DiffusionModel(
        predictor: network,
        description: file.process ?? DiffusionDescription(learnSigma: network.predictsVariance),
        imageSize: file.configuration.imageSize, name: location.description,
        sha256: try JobDirectory.digest(of: location.path).hexadecimal)
}

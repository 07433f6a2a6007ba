import Diffusion
import Foundation

/// Opens a weights file. The one place where the product meets the networks.
/// - Throws: ``RestorationError`` with code `unavailable` if the file is not there; what reading it throws.
public func openDiffusionModel(
    _ location: WeightsLocation, precision: RestorationSettings.Precision
) throws -> DiffusionModel {
    try location.requireFile()
    throw RestorationError(
        .unavailable, "\(location): this version of the program has no networks for diffusion models",
        remedy: "use a version that has, or --method dip-dkp")
}

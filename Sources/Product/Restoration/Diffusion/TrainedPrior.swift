import Diffusion
public import Jobs

/// A trained model that is checked at once and opened when it is needed: what comes before has the memory to itself.
public struct TrainedPrior {
    /// The file, and the group in it: for messages.
    public let name: String
    /// The SHA-256 of the weights file, in hexadecimal.
    public let sha256: String
    /// The number of image channels.
    let channels: Int
    private let opening: () throws -> DiffusionModel

    /// The model of a weights file.
    /// - Throws: ``RestorationError`` if the file is not there or not the one of its name, `WeightsError` for what is wrong
    ///   with it.
    public init(_ location: WeightsLocation, precision: RestorationSettings.Precision) throws {
        let location = location.installed
        sha256 = try location.verify()
        name = location.description
        channels = try WeightsFile(location.description).configuration.channels
        opening = { try DiffusionModel(location, precision: precision) }
    }

    /// A model that is open already.
    public init(_ model: DiffusionModel) {
        name = model.name
        sha256 = model.sha256
        channels = model.predictor.channels
        opening = { model }
    }

    /// Refuses to go on with other weights than the work was begun with.
    /// - Throws: ``RestorationError`` with code `badSettings`.
    func check(sha256 saved: String, name savedName: String) throws(RestorationError) {
        guard saved != sha256 else { return }
        throw RestorationError(
            .badSettings,
            "\(name) is not the weights file that the work was begun with: its SHA-256 is \(sha256), that of \(savedName) "
                + "was \(saved)",
            remedy: "put that file back, or begin anew (dkp restore --restart)")
    }

    /// Opens the model.
    /// - Throws: as the initialiser.
    func open() throws -> DiffusionModel { try opening() }
}

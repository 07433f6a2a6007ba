public import Jobs

public import Checkpointing

/// Makes the processes of this program.
public enum RestorationFactory {
    /// A process for the method that the settings name, at its beginning or resumed.
    /// - Throws: whatever the method throws; see ``DIPDKP`` and ``DiffDKP``.
    public static func makeProcess(
        _ input: RestorationInput, resuming snapshot: Snapshot?
    ) throws -> any RestorationProcess {
        guard input.settings.boundary == .free else { return try makeMethod(input, resuming: snapshot) }
        let canvas = input.onCanvas()
        return FreeBoundary(
            try makeMethod(canvas, resuming: snapshot), margin: canvas.margin * input.settings.scale)
    }

    private static func makeMethod(
        _ input: RestorationInput, resuming snapshot: Snapshot?
    ) throws -> any RestorationProcess {
        switch input.settings.method {
        case .dipDKP: try makeDIPDKP(input, resuming: snapshot)
        case .diffDKP: try makeDiffDKP(input, resuming: snapshot)
        case .pnpDKP: try makePnPDKP(input, resuming: snapshot)
        }
    }

    /// The bytes that a restoration takes at its peak, for an input of these channels, rows and columns.
    /// - Throws: as ``MemoryEstimate/bytes(height:width:)``.
    public static func memoryBytes(
        _ settings: RestorationSettings, channels: Int, height: Int, width: Int
    ) throws -> Int {
        try MemoryEstimate(settings, channels: channels).bytes(height: height, width: width)
    }

    private static func makeDIPDKP(_ input: RestorationInput, resuming snapshot: Snapshot?) throws -> DIPDKP {
        guard let snapshot else {
            return try DIPDKP(input: input.planes, settings: input.settings, oracleKernel: input.oracleKernel)
        }
        return try DIPDKP(
            resuming: snapshot, input: input.planes, settings: input.settings, oracleKernel: input.oracleKernel)
    }

    private static func makeDiffDKP(_ input: RestorationInput, resuming snapshot: Snapshot?) throws -> DiffDKP {
        let model = try DiffusionModel(weights(of: input), precision: input.settings.precision)
        guard let snapshot else {
            return try DiffDKP(
                input: input.planes, settings: input.settings, model: model, oracleKernel: input.oracleKernel,
                margin: input.margin)
        }
        return try DiffDKP(
            resuming: snapshot, input: input.planes, settings: input.settings, model: model,
            oracleKernel: input.oracleKernel, margin: input.margin)
    }

    private static func makePnPDKP(_ input: RestorationInput, resuming snapshot: Snapshot?) throws -> PnPDKP {
        let prior = try TrainedPrior(weights(of: input), precision: input.settings.precision)
        guard let snapshot else {
            return try PnPDKP(
                input: input.planes, settings: input.settings, prior: prior, oracleKernel: input.oracleKernel,
                margin: input.margin)
        }
        return try PnPDKP(
            resuming: snapshot, input: input.planes, settings: input.settings, prior: prior,
            oracleKernel: input.oracleKernel, margin: input.margin)
    }

    private static func weights(of input: RestorationInput) -> WeightsLocation {
        input.settings.weightsLocation ?? WeightsLocation(ShippedWeights.naturalImages.name)
    }
}

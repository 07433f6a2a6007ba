public import Checkpointing

/// Makes the processes of this program.
public enum RestorationFactory {
    /// A process for the method that the settings name, at its beginning or resumed.
    /// - Throws: whatever the method throws; see ``DIPDKP``.
    public static func makeProcess(
        _ input: RestorationInput, resuming snapshot: Snapshot?
    ) throws -> any RestorationProcess {
        if let snapshot {
            return try DIPDKP(
                resuming: snapshot, input: input.planes, settings: input.settings, oracleKernel: input.oracleKernel)
        }
        return try DIPDKP(input: input.planes, settings: input.settings, oracleKernel: input.oracleKernel)
    }
}

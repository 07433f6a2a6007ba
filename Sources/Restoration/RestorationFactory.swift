public import Checkpointing

/// Makes the processes of this program.
public enum RestorationFactory {
    /// A process for the method that the settings name, at its beginning or resumed.
    /// - Throws: whatever the method throws; see ``DIPDKP``.
    public static func makeProcess(
        _ input: RestorationInput, resuming snapshot: Snapshot?
    ) throws -> any RestorationProcess {
        throw RestorationError(
            .unavailable, "method \(input.settings.method.rawValue) is not part of this build")
    }
}

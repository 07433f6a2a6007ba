/// What this program calls itself in reports, checkpoints and `--version`.
public enum Software {
    /// The program's name.
    public static let name = "dkpd"
    /// The program's version (semantic versioning).
    public static let version = "0.1.0"
}

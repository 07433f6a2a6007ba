/// What this program calls itself in reports, checkpoints and `--version`.
public enum Software {
    /// The program's name.
    public static let name = "dkpd"
    /// What a result's `report.json` calls its format.
    package static let reportFormat = "dkp-report"
    /// The program's version (semantic versioning).
    public static let version = "0.2.0"
}

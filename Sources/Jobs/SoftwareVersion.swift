/// What this program calls itself in reports, checkpoints and `--version`.
public enum Software {
    /// The program's name.
    public static let name = "dkpd"
    /// What a result's `report.json` calls its format.
    package static let reportFormat = "dkp-report"
    /// The program's version (semantic versioning).
    public static let version = "0.1.0"

    /// Whether a version comes before this one; false for what is no version.
    package static func isOlder(_ other: String) -> Bool {
        func numbers(_ version: String) -> [Int]? {
            let parts = version.prefix { $0 != "-" && $0 != "+" }.split(separator: ".").map { Int($0) }
            return parts.count == 3 ? parts.compactMap { $0 } : nil
        }
        guard let found = numbers(other), let own = numbers(version), found.count == own.count else { return false }
        return found.lexicographicallyPrecedes(own)
    }
}

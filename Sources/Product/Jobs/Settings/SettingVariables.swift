/// The rule for environment variables that begin as those of settings do.
package enum SettingVariables {
    /// Whether a variable with our prefix concerns the build or the demonstration of this program, not its settings.
    private static func concernsTools(_ variable: String) -> Bool {
        ["DKP_WARNINGS_AS_ERRORS", "DKP_STATIC_RUNTIME"].contains(variable)
            || variable.hasPrefix("DKP_DEMO_") || variable.hasPrefix("DKP_FUZZ")
    }

    /// Refuses variables that begin as ours do and are none of them: whoever set one meant something by it.
    /// - Parameters:
    ///   - known: the variables that set something here.
    ///   - others: variables that may be there as well, as they set something elsewhere.
    ///   - correction: what a variable is known to be taken for; nil if nothing.
    package static func check(
        _ environment: [String: String], known: [String], besides others: [String] = [],
        correction: (String) -> String? = { _ in nil }
    ) throws(SettingsError) {
        let accepted = Set(known + others)
        for variable in environment.keys.sorted() where variable.hasPrefix("DKP_") {
            if accepted.contains(variable) || concernsTools(variable) { continue }
            let meant = correction(variable) ?? Spelling.nearest(to: variable, among: known)
            throw .malformed(
                "no such setting; " + (meant.map { "\($0) may be meant" } ?? "known: \(known.joined(separator: ", "))"),
                source: "environment variable \(Spelling.excerpt(variable))")
        }
    }
}

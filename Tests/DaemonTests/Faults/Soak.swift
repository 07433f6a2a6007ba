import Foundation

/// How hard the fault suites try: bounded in every test run, in full with `SOAK=1`, as `make soak` does.
enum Soak {
    static let isFull = ProcessInfo.processInfo.environment["SOAK"] == "1"

    /// The seed of the random instants; `SOAK_SEED` gives another one, to repeat a storm or to try a new one.
    static let seed = ProcessInfo.processInfo.environment["SOAK_SEED"].flatMap { UInt64($0) } ?? 20_240_620

    /// How long a daemon that was asked to stop may take: ten seconds, as promised. Only at length do these tests have the
    /// machine to themselves; among the others a process may wait for its turn, and what counts is that it ends.
    static let stopLimit = isFull ? Duration.seconds(10) : .seconds(60)

    /// The number of times that something is done.
    static func count(_ bounded: Int, full: Int) -> Int { isFull ? full : bounded }

    /// Prints one line of the summary that `make soak` shows at its end.
    static func report(_ suite: String, _ counts: KeyValuePairs<String, Int>) {
        let words = counts.map { "\($0.value) \($0.key)" }.joined(separator: ", ")
        print("soak: \(suite): \(words)")
    }
}

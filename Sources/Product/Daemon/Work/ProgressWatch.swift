package import Jobs

/// Notices that a worker does not get on: measures for how long nothing in its `progress.json` has changed.
///
/// The time is the daemon's own and counted look by look, each for a few seconds at most. So neither a clock that is set,
/// nor a pause in which the daemon did not look (or the whole machine slept, its workers with it) counts as silence.
package struct ProgressWatch: Sendable {
    /// What was found at the last look.
    private var last: JobProgress?
    private var lastLook: ContinuousClock.Instant?
    private var silence = Duration.zero
    private var rate: Double?
    /// Whether this run has done a step while it was watched.
    private var hasStepped = false

    /// The most that one look counts for.
    private static let longestLook = Duration.seconds(5)
    /// How many steps' time a worker may always be silent for.
    private static let steps = 20.0
    /// How many times longer than usual a worker may take to its first step: it reads, plans and warms up, and has no rate
    /// yet that would tell of long steps.
    private static let beginning = 3
    /// Slower steps than this count as not getting on, whatever the rate says.
    private static let longest = 7 * 86_400.0

    /// A watch that begins with its first look.
    package init() {}

    /// Takes note of what a worker last wrote down, nil if that is nothing.
    /// - Returns: for how long nothing has changed.
    package mutating func look(_ progress: JobProgress?, at now: ContinuousClock.Instant) -> Duration {
        if let lastLook { silence += min(max(now - lastLook, .zero), Self.longestLook) }
        lastLook = now
        if progress != last {
            silence = .zero
            if let progress, let last, progress.pid == last.pid, progress.step != last.step { hasStepped = true }
            last = progress
        }
        rate = progress?.rate ?? rate
        return silence
    }

    /// How long a worker may be silent.
    /// - Parameter stallTime: the setting: the least.
    package func limit(stallTime: Duration) -> Duration {
        let least = hasStepped ? stallTime : stallTime * Self.beginning
        guard let rate, rate > 0 else { return least }
        return max(least, .seconds(min(Self.steps / rate, Self.longest)))
    }
}

/// Which steps of the training a reverse process visits.
public struct Respacing: Sendable, Equatable, CustomStringConvertible {
    private enum Rule: Equatable {
        case sections([Int])
        case stride(Int)
    }

    private let rule: Rule

    /// So many steps, spread from the first of the training to the last.
    public init(steps: Int) { rule = .sections([steps]) }

    /// Reads a respacing.
    ///
    /// "100" spreads 100 steps over the training, from its first step to its last. "10,20,30" cuts the training into
    /// three equal sections and spreads so many over each. "ddim50" takes every n-th step from the first, with the
    /// whole n that gives 50 (Song et al. 2021).
    /// - Throws: ``DiffusionError`` if the text is none of these.
    public init(_ text: String) throws(DiffusionError) {
        let counts = text.split(separator: ",", omittingEmptySubsequences: false).map { Int($0) ?? 0 }
        if text.hasPrefix("ddim"), let count = Int(text.dropFirst(4)), count > 0 {
            rule = .stride(count)
        } else if counts.allSatisfy({ $0 > 0 }) {
            rule = .sections(counts)
        } else {
            throw DiffusionError(
                .invalidSetting,
                "\"\(text)\" is no choice of steps; give a number as 100, numbers as 10,20,30 or a stride as ddim50")
        }
    }

    /// The respacing as it is read.
    public var description: String {
        switch rule {
        case .sections(let counts): counts.map(String.init).joined(separator: ",")
        case .stride(let count): "ddim\(count)"
        }
    }

    /// The steps visited of a training of `trainingSteps` steps, ascending.
    /// - Throws: ``DiffusionError`` if there are not so many.
    public func timesteps(of trainingSteps: Int) throws(DiffusionError) -> [Int] {
        switch rule {
        case .stride(let count):
            for stride in 1...max(trainingSteps, 1) where (trainingSteps + stride - 1) / stride == count {
                return Array(Swift.stride(from: 0, to: trainingSteps, by: stride))
            }
            throw DiffusionError(
                .invalidSetting, "no whole stride takes \(count) of \(trainingSteps) steps; choose another number")
        case .sections(let counts):
            return try Self.sections(counts, of: trainingSteps)
        }
    }

    private static func sections(_ counts: [Int], of trainingSteps: Int) throws(DiffusionError) -> [Int] {
        var taken: [Int] = []
        var start = 0
        for (index, count) in counts.enumerated() {
            let size = trainingSteps / counts.count + (index < trainingSteps % counts.count ? 1 : 0)
            guard count <= size else {
                throw DiffusionError(
                    .invalidSetting, "\(count) of a section of \(size) training steps; allowed: 1 to \(size)")
            }
            // Added up step by step, as where the definition comes from: half-way cases round as they do there.
            let stride = count > 1 ? Double(size - 1) / Double(count - 1) : 1
            var position = 0.0
            for _ in 0..<count {
                taken.append(start + Int(position.rounded(.toNearestOrEven)))
                position += stride
            }
            start += size
        }
        return taken
    }
}

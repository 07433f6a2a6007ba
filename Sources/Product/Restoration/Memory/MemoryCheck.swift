public import Jobs

/// The bytes that a restoration takes at its peak, by its settings and the input's channels, rows and columns.
public typealias MemoryEstimator = (_ settings: RestorationSettings, _ channels: Int, _ height: Int, _ width: Int)
    throws
    -> Int

/// Compares the memory that a restoration will take with what there is, before it begins.
struct MemoryCheck {
    let estimate: MemoryEstimator
    let settings: RestorationSettings
    let channels: Int
    let height: Int
    let width: Int
    /// The image as its user calls it.
    let name: String

    /// The bytes that the restoration will take at its peak.
    /// - Throws: ``RestorationError`` with code `needsTooMuchMemory` that says what would fit; what the
    ///   estimator throws.
    func bytes(within limit: MemoryLimit?) throws -> Int {
        let needed = try estimate(settings, channels, height, width)
        guard let limit, needed > limit.bytes else { return needed }
        throw RestorationError(
            .needsTooMuchMemory,
            "\(name): \(width) x \(height) pixels at scale \(settings.scale) need about "
                + "\(Self.words(needed)) of memory, \(limit.words) \(Self.words(limit.bytes))",
            remedy: try remedy(limit.bytes))
    }

    private func remedy(_ limit: Int) throws -> String {
        var ways: [String] = []
        let scale = settings.scale
        let smaller = try [8, 4, 3, 2].first { try $0 < scale && fits(height: height, width: width, scale: $0, limit) }
        if let smaller { ways.append("take scale \(smaller), the largest that fits") }
        if let crop = try largestCrop(limit) {
            ways.append("crop the image to \(crop.width) x \(crop.height) pixels, the most that fit at scale \(scale)")
        }
        ways.append(ways.isEmpty ? "take a machine with more memory" : "take more memory")
        return ways.joined(separator: ", or ")
    }

    /// The largest part of the image's own proportions that fits, in multiples of its hundredth; nil for none.
    private func largestCrop(_ limit: Int) throws -> (height: Int, width: Int)? {
        func size(_ hundredths: Int) -> (height: Int, width: Int) {
            (max(1, height * hundredths / 100), max(1, width * hundredths / 100))
        }
        var (fitting, tooLarge) = (0, 100)
        while tooLarge - fitting > 1 {
            let middle = (fitting + tooLarge) / 2
            let (rows, columns) = size(middle)
            if try fits(height: rows, width: columns, scale: settings.scale, limit) {
                fitting = middle
            } else {
                tooLarge = middle
            }
        }
        return fitting > 0 ? size(fitting) : nil
    }

    private func fits(height: Int, width: Int, scale: Int, _ limit: Int) throws -> Bool {
        var settings = settings
        settings.scale = scale
        return try estimate(settings, channels, height, width) <= limit
    }

    /// "590 MiB", "506.8 GiB".
    static func words(_ bytes: Int) -> String {
        let mebibytes = Double(bytes) / 1_048_576
        guard mebibytes >= 10_000 else { return "\(Int(mebibytes.rounded())) MiB" }
        return "\(Int((mebibytes / 1024).rounded())) GiB"
    }
}

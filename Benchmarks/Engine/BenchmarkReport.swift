import Foundation

/// A report on one line, as Benchmarks/run reads it.
func benchmarkJSON(_ report: some Encodable) throws -> String {
    let encoder = JSONEncoder()
    encoder.keyEncodingStrategy = .convertToSnakeCase
    encoder.outputFormatting = [.sortedKeys]
    return String(decoding: try encoder.encode(report), as: UTF8.self)
}

/// What a benchmark of the engine tells.
protocol BenchmarkReport: Encodable {
    var secondsPerStep: Double { get }
    var peakBytes: Int { get }
    var precision: String { get }
    var implementations: [String: Int] { get }
}

extension BenchmarkReport {
    /// For programs, or for people.
    func print(asJSON json: Bool) throws {
        if json {
            Swift.print(try benchmarkJSON(self))
        } else {
            Swift.print("\(precision): \(secondsPerStep) s per step, peak \(peakBytes >> 20) MiB")
            for (name, times) in implementations.sorted(by: { $0.key < $1.key }) { Swift.print("  \(times) x \(name)") }
        }
    }
}

/// A line of /proc/self/status in bytes, e.g. `VmHWM` (peak resident memory); 0 where the system does not tell.
func processStatus(_ key: String) -> Int {
    guard let text = try? String(contentsOfFile: "/proc/self/status", encoding: .utf8) else { return 0 }
    for line in text.split(separator: "\n") where line.hasPrefix("\(key):") {
        return (line.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Int($0) } ?? 0) * 1024
    }
    return 0
}

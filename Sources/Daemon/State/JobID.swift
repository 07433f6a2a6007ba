import Foundation

/// The name of a job and of its directory: the moment of its claim in UTC, so that the order of names is the order of
/// arrival.
package struct JobID: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// Its text, such as `20260804-153012-345`.
    package let description: String

    /// The identifier that a directory's name is, nil if it is none.
    package init?(_ text: String) {
        let lengths = text.split(separator: "-", omittingEmptySubsequences: false)
        guard lengths.map(\.utf8.count) == [8, 6, 3], lengths.allSatisfy({ $0.utf8.allSatisfy { 48...57 ~= $0 } })
        else { return nil }
        description = text
    }

    fileprivate init(milliseconds: Int64) {
        let (seconds, fraction) = milliseconds.quotientAndRemainder(dividingBy: 1000)
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = .gmt
        let date = Date(timeIntervalSince1970: Double(seconds))
        let parts = calendar.dateComponents([.year, .month, .day, .hour, .minute, .second], from: date)
        func digits(_ value: Int?, _ count: Int) -> String {
            let text = String(value ?? 0)
            return String(repeating: "0", count: max(0, count - text.count)) + text
        }
        description =
            digits(parts.year, 4) + digits(parts.month, 2) + digits(parts.day, 2) + "-" + digits(parts.hour, 2)
            + digits(parts.minute, 2) + digits(parts.second, 2) + "-" + digits(Int(fraction), 3)
    }

    package static func < (first: JobID, second: JobID) -> Bool { first.description < second.description }
}

/// Gives out identifiers, each later than all before, even if the clock is set back.
package struct JobIDGenerator: Sendable {
    private var last: Int64 = 0
    private var newest: JobID?

    /// - Parameter existing: identifiers in use; all that are given out are later.
    package init(after existing: some Sequence<JobID> = []) { newest = existing.max() }

    /// The next identifier.
    /// - Parameter now: milliseconds since 1970.
    package mutating func next(now: Int64) -> JobID {
        last = max(now, last + 1)
        var id = JobID(milliseconds: last)
        while let newest, id <= newest {
            // Only after the clock was set back: walk on from the newest name, which still sorts.
            last = max(last, newest.milliseconds) + 1
            id = JobID(milliseconds: last)
        }
        newest = id
        return id
    }
}

extension JobID {
    /// The moment in the name, milliseconds since 1970.
    fileprivate var milliseconds: Int64 {
        let digits = description.utf8.filter { $0 != 45 }.map { Int($0) - 48 }
        func number(_ range: Range<Int>) -> Int { digits[range].reduce(0) { $0 * 10 + $1 } }
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = .gmt
        let parts = DateComponents(
            year: number(0..<4), month: number(4..<6), day: number(6..<8), hour: number(8..<10),
            minute: number(10..<12), second: number(12..<14))
        let seconds = calendar.date(from: parts)?.timeIntervalSince1970 ?? 0
        return Int64(seconds) * 1000 + Int64(number(14..<17))
    }
}

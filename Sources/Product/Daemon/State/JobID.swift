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
        let moment = moment
        guard 1...12 ~= moment.month, 1...31 ~= moment.day, moment.hour < 24, moment.minute < 60, moment.second < 60
        else { return nil }
    }

    /// The numbers in the text.
    fileprivate var moment: (year: Int, month: Int, day: Int, hour: Int, minute: Int, second: Int, millisecond: Int) {
        let digits = description.utf8.filter { $0 != 45 }.map { Int($0) - 48 }
        func number(_ range: Range<Int>) -> Int { digits[range].reduce(0) { $0 * 10 + $1 } }
        return (
            number(0..<4), number(4..<6), number(6..<8), number(8..<10), number(10..<12), number(12..<14),
            number(14..<17)
        )
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

    /// No identifiers can be made after this year, so that those that are there now cannot count.
    private static let lastYear = 9999

    /// - Parameter existing: identifiers in use; all that are given out are later, but for those of the last year that can
    ///   be written down, which no clock has given.
    package init(after existing: some Sequence<JobID> = []) {
        newest = existing.filter { $0.moment.year < Self.lastYear }.max()
    }

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
        let moment = moment
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = .gmt
        let parts = DateComponents(
            year: moment.year, month: moment.month, day: moment.day, hour: moment.hour, minute: moment.minute,
            second: moment.second)
        let seconds = calendar.date(from: parts)?.timeIntervalSince1970 ?? 0
        return Int64(seconds) * 1000 + Int64(moment.millisecond)
    }
}

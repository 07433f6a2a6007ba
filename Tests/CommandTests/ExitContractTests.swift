import Failures
import Foundation
import Testing

/// The exit codes as documents and the service's unit give them: the numbers of ``ExitStatus``, and no others.
@Suite struct `The exit codes in` {
    private typealias Status = Failures.ExitStatus

    private static func text(_ path: String) throws -> String {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        return try String(contentsOf: root.appendingPathComponent(path), encoding: .utf8)
    }

    @Test func `the operator's manual are all that there are`() throws {
        let section = try #require(try Self.text("Docs/operations.md").components(separatedBy: "## Exit codes").last)
        let table = try #require(section.components(separatedBy: "\n## ").first)
        let numbers = table.matches(of: /(?m)^\| (\d+) \|/).compactMap { Int32($0.output.1) }
        #expect(numbers == Status.allCases.map(\.rawValue))
    }

    @Test func `the service's unit are those that another try does not help`() throws {
        let unit = try Self.text("Systemd/dkpd.service")
        let line = try #require(unit.split(separator: "\n").first { $0.hasPrefix("RestartPreventExitStatus=") })
        let numbers = line.split(separator: "=")[1].split(separator: " ").compactMap { Int32($0) }
        #expect(numbers == [Status.usage, .unavailable, .badSettings].map(\.rawValue))
        #expect(!unit.contains("SuccessExitStatus"))
    }

    @Test func `the README are of a service that does not start`() throws {
        let text = try Self.text("README.md").replacing("\n", with: " ")
        for (status, words) in [
            (Status.badSettings, "wrong settings"), (.unavailable, "no worker"),
            (.stateFolderInUse, "another daemon on the same folder"), (.cannotCreate, "the folder cannot be used"),
        ] {
            #expect(text.contains("\(status.rawValue) \(words)"), "\(words)")
        }
    }

    @Test(arguments: ["Tools/packaging/man/dkp.1", "Tools/packaging/man/dkpd.8"])
    func `the manual pages are known`(_ path: String) throws {
        let section = try #require(try Self.text(path).components(separatedBy: ".Sh EXIT STATUS").last)
        let numbers = section.components(separatedBy: "\n.Sh ")[0].matches(of: /\b(\d+)\b/)
            .compactMap { Int32($0.output.1) }
        #expect(!numbers.isEmpty || path.hasSuffix("dkp.1"))
        for number in numbers { #expect(Status(rawValue: number) != nil, "\(path): \(number)") }
    }
}

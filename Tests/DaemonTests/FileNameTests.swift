import Daemon
import Files
import Foundation
import Glibc
import Jobs
import SystemPackage
import TestSupport
import Testing

/// A file's name may hold any bytes but "/" and zero, 1 to 255 of them.
@Suite struct `File names of any bytes` {
    /// Names that have broken programs before.
    static let notorious: [[UInt8]] =
        [
            "new\nline.png", "tab\there.png", "\"quoted\" 'twice' `and`.png", "back\\slash.png", "-rf.png", "--help",
            "$(reboot).png", "a;b|c&d.png", "*.png", "%s%n.png", "photo 🐈‍⬛.png", "ünïcode.png", "\u{202E}gnp.exe",
            "con.png", "...png", " .png", " ", "a", "{yaml: 1}", "#comment.png", "null", "\u{1}\u{1B}[31mred.png",
        ].map { Array($0.utf8) } + [
            [0xFF, 0xFE, 0x2E, 0x70, 0x6E, 0x67], [0xC3, 0x28], [0xED, 0xA0, 0x80, 0x2E, 0x70, 0x6E, 0x67],
            [UInt8](repeating: 0x6E, count: 255), Array(repeatElement("é", count: 127).joined().utf8),
            [UInt8](repeating: 0xFF, count: 255), [UInt8](repeating: 0x6E, count: 251) + Array(".png".utf8),
        ]

    @Test func `are claimed with their content and published under readable names`() throws {
        var random = SplitMix(state: 11)
        let names =
            Self.notorious
            + (0..<150).map { _ in
                (0..<Int.random(in: 1...255, using: &random)).map { _ in UInt8.random(in: 1...255, using: &random) }
                    .map { $0 == UInt8(ascii: "/") ? UInt8(ascii: "_") : $0 }
            }
        try withMemoryDirectory { path in
            let folder = StateFolder(path)
            let files = MortalFileSystem(changes: .max)
            try folder.create(files)
            let protocols = Protocols(folder, files)
            var ids = JobIDGenerator()
            for (number, bytes) in names.enumerated() {
                guard let name = Self.component(bytes), InboxRules.kind(of: name) == .work else { continue }
                let isInFolder = number % 3 == 0
                let place = isInFolder ? folder.inbox.appending("folder \u{7} é") : folder.inbox
                try files.ensureDirectory(place)
                if isInFolder { try drop("", place.appending("dkp.yaml")) }
                try drop("image \(number)", place.appending(name))
                if let settings = Claim.settingsName(of: name) {
                    try drop("seed: \(number)", place.appending(settings))
                } else {
                    #expect(bytes.count > 250)
                }
                let id = ids.next(now: 1_800_000_000_000)
                let item = InboxItem(name, in: isInFolder ? place.lastComponent : nil)
                #expect(try protocols.claim.claim(item, as: id), "\(bytes)")

                let record = try JobDirectory.open(folder.job(id).string).record
                #expect(record.settings.seed == (Claim.settingsName(of: name) == nil ? 0 : UInt64(number)))
                #expect(try text(folder.job(id).appending("input.png")) == "image \(number)")
                let left = try LocalFileSystem().entries(place).filter { InboxRules.kind(of: $0) == .settings }
                #expect(left.map(\.string) == (isInFolder ? ["dkp.yaml"] : []))
                #expect(try !LocalFileSystem().entries(place).contains(name))
                let result = folder.job(id).appending("result")
                try files.makeDirectory(result)
                let published = try protocols.publication.publish(id, name: record.originalName)
                #expect(try text(published.appending("input.png")) == "image \(number)")
                let readable = try #require(published.lastComponent?.string)
                #expect(readable.utf8.count <= 220 && !readable.hasPrefix(".") && !readable.hasPrefix("-"))
                #expect(!readable.unicodeScalars.contains { $0.value < 32 || "\"'`\\/".unicodeScalars.contains($0) })
                #expect(readable.hasPrefix("folder _ é-") == isInFolder)
            }
            #expect(try LocalFileSystem().entries(folder.jobs) == [])
        }
    }

    @Test(.timeLimit(.minutes(3))) func `pass through the daemon, and ten files of one name too`() async throws {
        try await withTemporaryDirectory { path in
            let root = FilePath(path)
            let daemon = try DaemonProcess(root, worker: FakeWorker.make(in: root), settings: "log_level: debug")
            try await daemon.waitUntilReady()
            let inbox = daemon.state.appending("inbox")
            var expected: Set<String> = []
            for (number, bytes) in Self.notorious.enumerated() {
                let name = try #require(Self.component(bytes))
                guard InboxRules.kind(of: name) == .work else { continue }
                try drop("ok \(number)", inbox.appending(name))
                expected.insert("ok \(number)")
            }
            for number in 0..<10 {
                // The name is free again once the file before has been taken.
                try await wait(for: "the name: \(daemon.log)") { !daemon.list("inbox").contains("same.png") }
                try drop("ok same \(number)", inbox.appending("same.png"))
                expected.insert("ok same \(number)")
            }
            try await wait(for: "all results: \(daemon.log)") { daemon.list("outbox").count >= expected.count }
            let outbox = try LocalFileSystem().entries(daemon.state.appending("outbox"))
            let contents = try outbox.map { name in
                try text(daemon.state.appending("outbox").appending(name).appending("restored.png"))
            }
            #expect(Set(contents) == expected && contents.count == expected.count)
            let same = ["same"] + (2...10).map { "same-\($0)" }
            #expect(Set(same).isSubset(of: daemon.list("outbox")))
            #expect(daemon.list("rejected") == [])
            // One line an event, whatever stands in the names.
            #expect(daemon.log.split(separator: "\n").allSatisfy { $0.hasPrefix("20") })
            #expect(try await daemon.stop().status == 0)
        }
    }

    /// The component of these bytes, nil if they are none.
    private static func component(_ bytes: [UInt8]) -> FilePath.Component? {
        let name = (bytes + [0]).map { CChar(bitPattern: $0) }
        return name.withUnsafeBufferPointer { $0.baseAddress.flatMap { FilePath.Component(platformString: $0) } }
    }
}

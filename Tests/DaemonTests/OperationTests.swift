import Daemon
import Files
import Foundation
import Logging
import SystemPackage
import TestSupport
import Testing

@Suite struct `The watchdog` {
    @Test func `gives a sign of life only when every loop has turned since the last one`() {
        let heartbeats = [Heartbeat(), Heartbeat()]
        let watchdog = Watchdog(ServiceManager(logger: Logger(label: "test")), heartbeats: heartbeats)
        #expect(!watchdog.look(), "no loop has turned yet")
        heartbeats[0].beat()
        #expect(!watchdog.look(), "the other loop is stuck")
        heartbeats[1].beat()
        #expect(watchdog.look())
        #expect(!watchdog.look(), "neither has turned since")
        for heartbeat in heartbeats { heartbeat.beat() }
        #expect(watchdog.look())
    }

    @Test func `wakes the loops, so that an idle one can answer`() async {
        let (heartbeat, wakeup) = (Heartbeat(), Wakeup())
        let watchdog = Watchdog(ServiceManager(logger: Logger(label: "test")), heartbeats: [heartbeat])
        heartbeat.wakes(by: wakeup)
        var wakeups = wakeup.wakeups.makeAsyncIterator()
        for _ in 0..<3 {
            #expect(await wakeups.next() != nil)
            heartbeat.beat()
            #expect(watchdog.look())
        }
    }
}

@Suite struct `An entry of the journal` {
    @Test func `has the line for people and a field for each part, hostile names whole`() {
        let name = "a\nMESSAGE=forged\u{7}.png"
        let fields = Self.fields(["name": "\(name)", "job": "17"], level: .warning)
        #expect(fields["MESSAGE"] == #"claimed job="17" name="a\nMESSAGE=forged\u{07}.png""#)
        #expect(fields["NAME"] == name && fields["JOB"] == "17")
        #expect(fields["PRIORITY"] == "4" && fields["SYSLOG_IDENTIFIER"] == "dkpd")
        #expect(fields["CODE_FILE"] == "Daemon/A.swift" && fields["CODE_LINE"] == "7" && fields["CODE_FUNC"] == "f()")
    }

    @Test(arguments: [
        (Logger.Level.critical, "2"), (.error, "3"), (.warning, "4"), (.notice, "5"), (.info, "6"), (.debug, "7"),
        (.trace, "7"),
    ]) func `has the priority of its level`(level: Logger.Level, priority: String) {
        #expect(Self.fields([:], level: level)["PRIORITY"] == priority)
    }

    @Test(arguments: [
        ("job", "JOB"), ("free space", "FREE_SPACE"), ("größe", "GR_SSE"), ("message", "DKPD_MESSAGE"),
        ("code", "CODE"), ("code_line", "DKPD_CODE_LINE"), ("_uid", "DKPD__UID"), ("2nd", "DKPD_2ND"), ("", "DKPD_"),
        (String(repeating: "k", count: 80), String(repeating: "K", count: 64)),
    ]) func `names its fields so that none is taken for another's`(key: String, name: String) {
        #expect(Set(Self.fields([key: "x"], level: .info).filter { $0.value == "x" }.keys) == [name])
    }

    private static func fields(_ metadata: Logger.Metadata, level: Logger.Level) -> [String: String] {
        let event = LogEvent(
            level: level, message: "claimed", metadata: nil, source: nil, file: "Daemon/A.swift", function: "f()",
            line: 7)
        let fields = JournalLogHandler.fields(of: event, metadata: metadata, label: "dkpd")
        return Dictionary(fields.map { ($0.name, $0.value) }) { first, _ in first + " twice" }
    }
}

@Suite struct `The daemon's status file` {
    @Test func `takes the place of what a killed daemon left half written`() throws {
        try withTemporaryDirectory { path in
            let folder = StateFolder(FilePath(path))
            try drop("{", FilePath(path).appending(".status.json.dkp-tmp"))
            let status = DaemonStatus(
                process: 1, state: "running", reason: nil, line: "idle", paused: [], freeSpaceFloor: 0,
                updated: Date(timeIntervalSince1970: 1_800_000_000))
            status.write(to: folder)
            #expect(DaemonStatus.read(folder, LocalFileSystem()) == status)
            #expect(try names(FilePath(path)) == ["status.json"])
        }
    }
}

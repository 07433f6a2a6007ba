package import Logging

/// Writes log events to the system's journal, each with fields of its own: `journalctl -u dkpd JOB=...` finds all that
/// befell a job, `NAME=cat.png` an image.
///
/// The message that people read is the line that ``StandardErrorLogHandler`` writes, with control characters escaped;
/// the fields hold what it was made of, unaltered.
package struct JournalLogHandler: LogHandler {
    package var metadata: Logger.Metadata = [:]
    package var logLevel: Logger.Level

    private let label: String

    init(label: String, level: Logger.Level) {
        self.label = label
        logLevel = level
    }

    package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    package func log(event: LogEvent) {
        let fields = Self.fields(of: event, metadata: metadata.merging(event.metadata ?? [:]) { $1 }, label: label)
        if Journal.send(fields) { return }
        // The stream leads there too.
        var substitute = StandardErrorLogHandler(level: logLevel)
        substitute.metadata = metadata
        substitute.log(event: event)
    }

    /// The fields of an entry for an event with all its metadata.
    package static func fields(of event: LogEvent, metadata: Logger.Metadata, label: String) -> [Journal.Field] {
        [
            .init(name: "MESSAGE", value: LogLine.text(of: event, metadata: metadata)),
            .init(name: "PRIORITY", value: "\(event.level.priority)"),
            .init(name: "SYSLOG_IDENTIFIER", value: label),
            .init(name: "CODE_FILE", value: event.file),
            .init(name: "CODE_LINE", value: "\(event.line)"),
            .init(name: "CODE_FUNC", value: event.function),
        ]
            + metadata.sorted { $0.key < $1.key }.map { key, value in
                .init(name: fieldName(key), value: "\(value)")
            }
    }

    /// The journal's name for a key of the metadata. Keys that would be taken for a field of the journal's own, and
    /// those that would be no name at all, begin with `DKPD_`.
    static func fieldName(_ key: String) -> String {
        let letters = key.uppercased().unicodeScalars.map { scalar in
            ("A"..."Z").contains(scalar) || ("0"..."9").contains(scalar) ? String(scalar) : "_"
        }.joined()
        let isPlain = letters.first?.isLetter == true && !ownFields.contains { letters.hasPrefix($0) }
        return String((isPlain ? letters : "DKPD_" + letters).prefix(64))
    }

    /// What the names of fields that have a meaning of their own begin with.
    private static let ownFields = [
        "MESSAGE", "PRIORITY", "CODE_", "ERRNO", "SYSLOG_", "INVOCATION_ID", "USER_INVOCATION_ID", "DOCUMENTATION",
        "TID", "UNIT", "USER_UNIT", "COREDUMP_", "OBJECT_",
    ]
}

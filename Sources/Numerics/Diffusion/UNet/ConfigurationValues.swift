import Foundation

/// A configuration's JSON object, read key by key: a key that is absent or null has its default, one of another type or
/// out of range is an error that names it.
struct ConfigurationValues {
    private enum Value: Decodable {
        case null
        case boolean(Bool)
        case number(Double)
        case text(String)
        case list([Value])
        case object

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if container.decodeNil() {
                self = .null
            } else if let flag = try? container.decode(Bool.self) {
                self = .boolean(flag)
            } else if let number = try? container.decode(Double.self) {
                self = .number(number)
            } else if let text = try? container.decode(String.self) {
                self = .text(text)
            } else if let list = try? container.decode([Value].self) {
                self = .list(list)
            } else {
                self = .object
            }
        }

        var number: Double? { if case .number(let number) = self { number } else { nil } }
        var text: String? { if case .text(let text) = self { text } else { nil } }

        var description: String {
            switch self {
            case .null: "null"
            case .boolean(let flag): "\(flag)"
            case .number(let number): "\(number)"
            case .text(let text): "\"\(text.prefix(80))\""
            case .list(let values): "[\(values.prefix(16).map(\.description).joined(separator: ", "))]"
            case .object: "an object"
            }
        }
    }

    private let attribute: String
    private let values: [String: Value]

    /// - Parameter attribute: what holds the JSON, for messages.
    init(json: String, attribute: String = "config") throws {
        self.attribute = attribute
        guard json.utf8.count <= 1 << 20,
            let values = try? JSONDecoder().decode([String: Value].self, from: Data(json.utf8))
        else { throw WeightsError(.badConfiguration, "the attribute \(attribute) is no JSON object") }
        self.values = values
    }

    private func value(_ key: String) -> Value? {
        guard let value = values[key] else { return nil }
        if case .null = value { return nil }
        return value
    }

    private func invalid(_ key: String, _ wanted: String) -> WeightsError {
        let found = values[key]?.description ?? "missing"
        return WeightsError(.badConfiguration, "\(attribute): \(key) is \(found), not \(wanted)")
    }

    func integer(_ key: String, in range: ClosedRange<Int>, default fallback: Int? = nil) throws -> Int {
        guard let value = value(key) else {
            guard let fallback else { throw invalid(key, "an integer in \(range)") }
            return fallback
        }
        guard let number = value.number.flatMap(Int.init(exactly:)), range.contains(number) else {
            throw invalid(key, "an integer in \(range)")
        }
        return number
    }

    func optionalInteger(_ key: String, in range: ClosedRange<Int>) throws -> Int? {
        value(key) == nil ? nil : try integer(key, in: range)
    }

    func number(_ key: String, in range: ClosedRange<Double>, default fallback: Double) throws -> Double {
        guard let value = value(key) else { return fallback }
        guard let number = value.number, range.contains(number) else { throw invalid(key, "a number in \(range)") }
        return number
    }

    func boolean(_ key: String, default fallback: Bool) throws -> Bool {
        guard let value = value(key) else { return fallback }
        guard case .boolean(let flag) = value else { throw invalid(key, "true or false") }
        return flag
    }

    func string(_ key: String, default fallback: String) throws -> String {
        guard let value = value(key) else { return fallback }
        guard let text = value.text else { throw invalid(key, "text") }
        return text
    }

    private func list<Element>(
        _ key: String, _ wanted: String, least: Int = 1, _ element: (Value) -> Element?
    ) throws -> [Element] {
        guard case .list(let values)? = value(key), (least...16).contains(values.count) else {
            throw invalid(key, "a list of \(least) to 16 \(wanted)")
        }
        return try values.map { value in
            guard let element = element(value) else { throw invalid(key, "a list of \(wanted)") }
            return element
        }
    }

    func numbers(_ key: String, in range: ClosedRange<Double>, default fallback: [Double]? = nil) throws -> [Double] {
        if value(key) == nil, let fallback { return fallback }
        return try list(key, "numbers in \(range)") { $0.number.flatMap { range.contains($0) ? $0 : nil } }
    }

    /// - Parameter least: the number of elements that the list has at least.
    func integers(_ key: String, in range: ClosedRange<Int>, least: Int = 1) throws -> [Int] {
        try list(key, "integers in \(range)", least: least) {
            $0.number.flatMap(Int.init(exactly:)).flatMap { range.contains($0) ? $0 : nil }
        }
    }

    func strings(_ key: String) throws -> [String] { try list(key, "names") { $0.text } }

    /// Refuses any value of an argument but those that are supported.
    func require(_ key: String, _ supported: [String], default fallback: String) throws {
        guard supported.contains(try string(key, default: fallback)) else {
            throw invalid(key, supported.joined(separator: " or "))
        }
    }

    /// Refuses arguments that would change the network in a way that is not supported.
    func requireAbsent(_ keys: String...) throws {
        for key in keys {
            switch value(key) {
            case nil, .boolean(false): continue
            default: throw invalid(key, "null")
            }
        }
    }
}

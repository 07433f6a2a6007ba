import Files
import Foundation

/// The JSON of the job layer: sorted keys, UTC times in ISO 8601, infinite numbers as "inf".
package enum JobJSON {
    package static func encode(_ value: some Encodable, pretty: Bool = true) throws(RestorationError) -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting =
            pretty ? [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes] : [.sortedKeys, .withoutEscapingSlashes]
        encoder.dateEncodingStrategy = .iso8601
        encoder.nonConformingFloatEncodingStrategy = .convertToString(
            positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
        do {
            return Array(try encoder.encode(value)) + [UInt8(ascii: "\n")]
        } catch {
            throw RestorationError(.internalError, "\(type(of: value)) cannot be written as JSON: \(error)")
        }
    }

    package static func decode<Value: Decodable>(
        _: Value.Type, fromFile path: String
    ) throws -> Value {
        let decoder = JSONDecoder()
        decoder.dateDecodingStrategy = .iso8601
        decoder.nonConformingFloatDecodingStrategy = .convertFromString(
            positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
        let bytes = try LocalFileSystem().contents(of: path)
        do {
            return try decoder.decode(Value.self, from: Data(bytes))
        } catch let error as SettingsError {
            throw RestorationError(.badSettings, "\(path): \(error.message)")
        } catch {
            throw RestorationError(
                .badInput, "\(path): not the JSON that belongs there: \(error)",
                remedy: "remove the job directory and start the job again")
        }
    }
}

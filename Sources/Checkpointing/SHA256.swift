import CLibCrypto

/// A SHA-256 digest computed piece by piece.
struct SHA256: ~Copyable {
    static var byteCount: Int { 32 }

    private let context: OpaquePointer

    init() throws(CheckpointError) {
        guard let context = EVP_MD_CTX_new() else {
            throw CheckpointError(.inputOutput, "out of memory for a SHA-256 digest")
        }
        guard EVP_DigestInit_ex(context, EVP_sha256(), nil) == 1 else {
            EVP_MD_CTX_free(context)
            throw CheckpointError(.inputOutput, "the cryptographic library offers no SHA-256")
        }
        self.context = context
    }

    deinit { EVP_MD_CTX_free(context) }

    /// Adds bytes. (An update of an initialised digest cannot fail; if it did, no digest would match.)
    func update(_ bytes: UnsafeRawBufferPointer) {
        _ = EVP_DigestUpdate(context, bytes.baseAddress, bytes.count)
    }

    /// Adds an integer as eight little-endian bytes.
    func update(_ value: UInt64) { withUnsafeBytes(of: value.littleEndian) { update($0) } }

    /// Adds a text's length in bytes, and the text in UTF-8.
    func update(_ text: String) {
        let bytes = Array(text.utf8)
        update(UInt64(bytes.count))
        bytes.withUnsafeBytes { update($0) }
    }

    /// The digest of everything added.
    consuming func finish() throws(CheckpointError) -> [UInt8] {
        var digest = [UInt8](repeating: 0, count: Self.byteCount)
        guard EVP_DigestFinal_ex(context, &digest, nil) == 1 else {
            throw CheckpointError(.inputOutput, "the cryptographic library failed to compute a SHA-256")
        }
        return digest
    }

    /// The digest of some bytes.
    static func digest(of bytes: ArraySlice<UInt8>) throws(CheckpointError) -> [UInt8] {
        let hash = try SHA256()
        bytes.withUnsafeBytes { hash.update($0) }
        return try hash.finish()
    }
}

import CLibCrypto
package import Failures

/// A SHA-256 digest computed piece by piece.
package struct SHA256: ~Copyable {
    private static var byteCount: Int { 32 }

    private let context: OpaquePointer

    /// The digest of nothing yet.
    ///
    /// - Throws: ``LibraryError`` where libcrypto does not work.
    package init() throws(LibraryError) {
        guard let context = EVP_MD_CTX_new() else {
            throw LibraryError("sha256_unavailable", "out of memory for a SHA-256 digest")
        }
        guard EVP_DigestInit_ex(context, EVP_sha256(), nil) == 1 else {
            EVP_MD_CTX_free(context)
            throw LibraryError("sha256_unavailable", "libcrypto has no SHA-256; check its installation")
        }
        self.context = context
    }

    deinit { EVP_MD_CTX_free(context) }

    /// Adds bytes. (An update of an initialised digest cannot fail; if it did, no digest would match.)
    package func update(_ bytes: UnsafeRawBufferPointer) {
        _ = EVP_DigestUpdate(context, bytes.baseAddress, bytes.count)
    }

    /// Adds bytes.
    package func update(_ bytes: ArraySlice<UInt8>) { bytes.withUnsafeBytes { update($0) } }

    /// Adds an integer as eight little-endian bytes.
    package func update(_ value: UInt64) { withUnsafeBytes(of: value.littleEndian) { update($0) } }

    /// Adds a text's length in bytes, and the text in UTF-8.
    package func update(_ text: String) {
        let bytes = Array(text.utf8)
        update(UInt64(bytes.count))
        update(bytes[...])
    }

    /// The digest of everything added.
    package consuming func finish() throws(LibraryError) -> [UInt8] {
        var digest = [UInt8](repeating: 0, count: Self.byteCount)
        guard EVP_DigestFinal_ex(context, &digest, nil) == 1 else {
            throw LibraryError("sha256_unavailable", "libcrypto failed to compute a SHA-256 digest")
        }
        return digest
    }

    /// The digest of everything added, in lower-case hexadecimal.
    package consuming func finishHexadecimal() throws(LibraryError) -> String {
        let digits = Array("0123456789abcdef")
        return String(try finish().flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] })
    }

    /// The digest of some bytes.
    package static func digest(of bytes: ArraySlice<UInt8>) throws(LibraryError) -> [UInt8] {
        let hash = try SHA256()
        hash.update(bytes)
        return try hash.finish()
    }
}
